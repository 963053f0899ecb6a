#include "core/io/file_ops.h"

#include <adjoint/core/error.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace adjoint::io {
namespace {

int system_allocate(int fd, off_t bytes) {
#if defined(__linux__)
  // Not posix_fallocate: where the file system cannot, that writes every block.
  if (::fallocate(fd, 0, 0, bytes) == 0) return 0;
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) return 0;
  return -1;
#else
  static_cast<void>(fd);
  static_cast<void>(bytes);
  return 0;
#endif
}

int system_exchange(const char* a, const char* b) {
#if defined(__linux__) && defined(RENAME_EXCHANGE)
  return ::renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#else
  static_cast<void>(a);
  static_cast<void>(b);
  errno = ENOSYS;
  return -1;
#endif
}

constexpr FileOps kSystem = {
    .open = [](const char* path, int flags, mode_t mode) { return ::open(path, flags, mode); },
    .close = ::close,
    .stat = [](int fd, struct ::stat* out) { return ::fstat(fd, out); },
    .read = ::read,
    .pread = ::pread,
    .write = ::write,
    .allocate = system_allocate,
    .sync = ::fsync,
    .rename = ::rename,
    .exchange = system_exchange,
    .make_directory = ::mkdir,
    .remove_directory = ::rmdir,
    .unlink = ::unlink,
};

// One read may not ask for more than 2 GiB on Linux.
constexpr size_t kMaxRead = size_t{1} << 30;

}  // namespace

const FileOps& system_file_ops() { return kSystem; }

FileOps& file_ops() {
  static FileOps ops = kSystem;
  return ops;
}

void fail_errno(const char* path, const char* what) {
  const int error = errno;
  fail<IoError>(path, ": ", what, ": ", std::generic_category().message(error));
}

InputFile::InputFile(std::string path) : path_(std::move(path)) {
  do {
    fd_ = file_ops().open(path_.c_str(), O_RDONLY | O_CLOEXEC, 0);
  } while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) fail_errno(path_.c_str(), "cannot open the file");
  struct ::stat status {};
  if (file_ops().stat(fd_, &status) != 0) {
    const int error = errno;
    file_ops().close(fd_);
    errno = error;
    fail_errno(path_.c_str(), "cannot look at the file");
  }
  if (S_ISDIR(status.st_mode)) {
    file_ops().close(fd_);
    fail<IoError>(path_, ": is a folder; expected a file");
  }
  size_ = S_ISREG(status.st_mode) ? status.st_size : -1;
}

InputFile::~InputFile() { file_ops().close(fd_); }

size_t InputFile::read(void* into, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = file_ops().read(fd_, static_cast<std::byte*>(into) + done,
                                      std::min(bytes - done, kMaxRead));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(path_.c_str(), "cannot read the file");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

void InputFile::read_at(void* into, size_t bytes, off_t offset) const {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n =
        file_ops().pread(fd_, static_cast<std::byte*>(into) + done,
                         std::min(bytes - done, kMaxRead), offset + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(path_.c_str(), "cannot read the file");
    check<IoError>(n > 0, path_, ": cut off while it was read: at byte ",
                   static_cast<size_t>(offset) + done, "; expected ", bytes - done, " more");
    done += static_cast<size_t>(n);
  }
}

}  // namespace adjoint::io
