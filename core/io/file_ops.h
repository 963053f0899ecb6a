// The calls to the system that the file functions make, as a table: tests put failures and kills in
// their place, another system its own calls.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <string>

namespace adjoint::io {

// Each returns -1 and sets errno on failure, as POSIX has it.
struct FileOps {
  int (*open)(const char* path, int flags, mode_t mode);
  int (*close)(int fd);
  int (*stat)(int fd, struct ::stat* out);
  ssize_t (*read)(int fd, void* into, size_t bytes);
  ssize_t (*pread)(int fd, void* into, size_t bytes, off_t offset);
  ssize_t (*write)(int fd, const void* from, size_t bytes);
  int (*allocate)(int fd, off_t bytes);
  int (*sync)(int fd);
  int (*rename)(const char* from, const char* to);
  int (*exchange)(const char* a, const char* b);
  int (*make_directory)(const char* path, mode_t mode);
  int (*remove_directory)(const char* path);
  int (*unlink)(const char* path);
};

// The table in use. Tests may change it while no other thread works with files.
FileOps& file_ops();

// The operations of the system itself.
const FileOps& system_file_ops();

// Throws IoError `path: what: the reason for errno`.
[[noreturn]] void fail_errno(const char* path, const char* what);

// An open file for reading; closes itself.
class InputFile {
 public:
  // Throws IoError where the file cannot be opened or is a folder.
  explicit InputFile(std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  // The size where this is a regular file; -1 for pipes and devices.
  off_t size() const { return size_; }
  // Reads up to bytes from where the last read ended; fewer only at the end of the file.
  size_t read(void* into, size_t bytes);
  // Reads exactly bytes at an offset; throws IoError where the file ends before.
  void read_at(void* into, size_t bytes, off_t offset) const;

 private:
  std::string path_;
  int fd_;
  off_t size_;
};

}  // namespace adjoint::io
