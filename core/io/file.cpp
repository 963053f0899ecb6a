#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/io/crc32c.h"
#include "core/io/file_ops.h"
#include "core/io/file_writer.h"
#include "core/io/temporary.h"

namespace adjoint::io {
namespace {

constexpr size_t kBuffer = size_t{1} << 16;
constexpr size_t kMaxWrite = size_t{1} << 30;

void write_all(const std::string& path, int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = file_ops().write(fd, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(path.c_str(), "cannot write the file");
    check<IoError>(n > 0, path, ": cannot write the file: the system takes no more bytes");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

template <class Bytes>
Bytes read_whole(const std::string& path, uint64_t max_bytes) {
  InputFile file(path);
  const auto too_large = [&](uint64_t size) {
    check<IoError>(size <= max_bytes, path, ": too large: ", size, " bytes; expected at most ",
                   max_bytes);
  };
  Bytes bytes;
  if (file.size() > 0) {
    too_large(static_cast<uint64_t>(file.size()));
    bytes.resize(static_cast<size_t>(file.size()));
    bytes.resize(file.read(bytes.data(), bytes.size()));
  }
  // Pipes, devices and the files of /proc do not tell their size, and files grow.
  std::vector<std::byte> more(kBuffer);
  while (const size_t n = file.read(more.data(), more.size())) {
    too_large(bytes.size() + n);
    const auto* from = reinterpret_cast<const typename Bytes::value_type*>(more.data());
    bytes.insert(bytes.end(), from, from + n);
  }
  return bytes;
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path, uint64_t max_bytes) {
  return read_whole<std::vector<std::byte>>(path, max_bytes);
}

std::string read_text(const std::string& path, uint64_t max_bytes) {
  return read_whole<std::string>(path, max_bytes);
}

FileSink::FileSink(std::string path, int fd) : path_(std::move(path)), fd_(fd) {
  buffer_.reserve(kBuffer);
}

FileSink::~FileSink() = default;

void FileSink::append(std::span<const std::byte> bytes) {
  crc_ = io::crc32c(crc_, bytes);
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBuffer) flush();
  if (bytes.size() >= kBuffer) {
    write_all(path_, fd_, bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void FileSink::append(std::string_view text) { append(std::as_bytes(std::span(text))); }

void FileSink::reserve(uint64_t bytes) {
  int failed = 0;
  do {
    failed = bytes == 0 ? 0 : file_ops().allocate(fd_, static_cast<off_t>(bytes));
  } while (failed != 0 && errno == EINTR);
  if (failed != 0) fail_errno(path_.c_str(), "cannot set room aside for the file");
}

void FileSink::flush() {
  write_all(path_, fd_, buffer_);
  buffer_.clear();
}

FileWriter::FileWriter(const std::string& path) : path_(path), sink_(path, open_new(path)) {}

int FileWriter::open_new(const std::string& path) {
  int fd = -1;
  do {
    fd = file_ops().open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) fail_errno(path.c_str(), "cannot make the file");
  return fd;
}

FileWriter::~FileWriter() {
  if (open_) file_ops().close(sink_.fd_);
  if (!finished_) file_ops().unlink(path_.c_str());
}

void FileWriter::finish() {
  sink_.flush();
  sync_fd(path_, sink_.fd_);
  open_ = false;
  // Linux has closed the file even where it says EINTR, and the data is on the disk.
  if (file_ops().close(sink_.fd_) != 0 && errno != EINTR) {
    fail_errno(path_.c_str(), "cannot close the file");
  }
  finished_ = true;
}

void sync_fd(const std::string& path, int fd) {
  int failed = 0;
  do {
    failed = file_ops().sync(fd);
  } while (failed != 0 && errno == EINTR);
  // Final: after a failed sync the system may have dropped the data and call the next one fine.
  if (failed != 0) fail_errno(path.c_str(), "cannot sync to the disk");
}

void sync_directory(const std::string& path) {
  int fd = -1;
  do {
    fd = file_ops().open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) fail_errno(path.c_str(), "cannot open the folder");
  try {
    sync_fd(path, fd);
  } catch (...) {
    file_ops().close(fd);
    throw;
  }
  file_ops().close(fd);
}

void rename_path(const std::string& from, const std::string& to) {
  int failed = 0;
  do {
    failed = file_ops().rename(from.c_str(), to.c_str());
  } while (failed != 0 && errno == EINTR);
  if (failed != 0) fail_errno(to.c_str(), "cannot rename the temporary to this name");
}

void write_file_atomic(const std::string& path, const WriteBody& body) {
  const std::string temporary = temporary_beside(path);
  FileWriter writer(temporary);
  body(writer.sink());
  writer.finish();
  try {
    rename_path(temporary, path);
  } catch (...) {
    file_ops().unlink(temporary.c_str());
    throw;
  }
  sync_directory(parent_of(path));
}

void write_file_atomic(const std::string& path, std::span<const std::byte> bytes) {
  write_file_atomic(path, [&](FileSink& out) {
    out.reserve(bytes.size());
    out.append(bytes);
  });
}

void write_file_atomic(const std::string& path, std::string_view text) {
  write_file_atomic(path, std::as_bytes(std::span(text)));
}

void create_directories(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (path.empty() || fs::is_directory(path, error)) return;
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::string parent = parent_of(trimmed);
  if (parent != trimmed) create_directories(parent);
  if (file_ops().make_directory(trimmed.c_str(), 0777) == 0) {
    sync_directory(parent);
  } else if (errno != EEXIST || !fs::is_directory(trimmed, error)) {
    fail_errno(trimmed.c_str(), "cannot make the folder");
  }
}

void remove_tree(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_directory(fs::symlink_status(path, error))) {
    std::vector<std::string> inside;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      inside.push_back(it->path().string());
    }
    for (const std::string& entry : inside) remove_tree(entry);
    if (file_ops().remove_directory(path.c_str()) != 0 && errno != ENOENT) {
      fail_errno(path.c_str(), "cannot remove the folder");
    }
  } else if (file_ops().unlink(path.c_str()) != 0 && errno != ENOENT) {
    fail_errno(path.c_str(), "cannot remove the file");
  }
}

void remove_directory(const std::string& path) {
  const std::string temporary = temporary_beside(path);
  if (file_ops().rename(path.c_str(), temporary.c_str()) != 0) {
    fail_errno(path.c_str(), "cannot remove the folder");
  }
  sync_directory(parent_of(path));
  remove_tree(temporary);
}

int remove_stale_temporaries(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> stale;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (is_stale_temporary(it->path().filename().string())) stale.push_back(it->path().string());
  }
  check<IoError>(!error, directory, ": cannot list the folder: ", error.message());
  for (const std::string& path : stale) remove_tree(path);
  return static_cast<int>(stale.size());
}

}  // namespace adjoint::io
