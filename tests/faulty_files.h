// Calls to the file system that fail, or kill the process, where a test says so.
#pragma once

#include <unistd.h>

#include <cerrno>

#include "core/io/file_ops.h"

namespace adjoint::io {

// What happens at the n-th call of the table, counted over all its functions.
enum class Fault { none, eio, enospc, eintr, short_write, kill_before, kill_after };

inline int g_calls = 0;
inline int g_fail_at = -1;
inline Fault g_fault = Fault::none;

// Calls f, or what the fault makes of it.
template <class F>
auto faulty(F f) -> decltype(f()) {
  if (g_calls++ != g_fail_at) return f();
  switch (g_fault) {
    case Fault::eio:
      errno = EIO;
      return -1;
    case Fault::enospc:
      errno = ENOSPC;
      return -1;
    case Fault::eintr:
      errno = EINTR;
      return -1;
    case Fault::kill_before:
      ::_exit(137);
    case Fault::kill_after:
      f();
      ::_exit(137);
    default:
      return f();
  }
}

// The system's operations, but that nothing waits for the disk: on a system that lives, and whose
// processes alone are killed, syncing shows nowhere.
inline FileOps unsynced() {
  FileOps ops = system_file_ops();
  ops.sync = [](int) { return 0; };
  return ops;
}

inline const FileOps kFaulty = {
    .open =
        [](const char* p, int flags, mode_t mode) {
          return faulty([&] { return system_file_ops().open(p, flags, mode); });
        },
    // A failing close has closed the file all the same, as on Linux.
    .close = [](int fd) { return faulty([&] { return system_file_ops().close(fd); }); },
    .stat =
        [](int fd, struct ::stat* out) {
          return faulty([&] { return system_file_ops().stat(fd, out); });
        },
    .read = [](int fd, void* into,
               size_t n) { return faulty([&] { return system_file_ops().read(fd, into, n); }); },
    .pread =
        [](int fd, void* into, size_t n, off_t at) {
          return faulty([&] { return system_file_ops().pread(fd, into, n, at); });
        },
    .write =
        [](int fd, const void* from, size_t n) {
          const bool half = g_calls == g_fail_at && g_fault == Fault::short_write;
          return faulty([&] { return system_file_ops().write(fd, from, half ? (n + 1) / 2 : n); });
        },
    .allocate = [](int fd,
                   off_t n) { return faulty([&] { return system_file_ops().allocate(fd, n); }); },
    .sync = [](int) { return faulty([] { return 0; }); },
    .rename = [](const char* a,
                 const char* b) { return faulty([&] { return system_file_ops().rename(a, b); }); },
    .exchange =
        [](const char* a, const char* b) {
          return faulty([&] { return system_file_ops().exchange(a, b); });
        },
    .make_directory =
        [](const char* p, mode_t mode) {
          return faulty([&] { return system_file_ops().make_directory(p, mode); });
        },
    .remove_directory =
        [](const char* p) { return faulty([&] { return system_file_ops().remove_directory(p); }); },
    .unlink = [](const char* p) { return faulty([&] { return system_file_ops().unlink(p); }); },
};

inline void arm(int call, Fault fault) {
  g_calls = 0;
  g_fail_at = call;
  g_fault = fault;
  file_ops() = kFaulty;
}

inline void disarm() { file_ops() = unsynced(); }

}  // namespace adjoint::io
