// The steps that atomic files and folders are made of.
#pragma once

#include <adjoint/core/file.h>

#include <string>

namespace adjoint::io {

// A new file under a name that nobody looks at yet: removed again unless finished.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  FileSink& sink() { return sink_; }
  // Writes out what is buffered, syncs and closes.
  void finish();

 private:
  static int open_new(const std::string& path);

  std::string path_;
  FileSink sink_;
  bool open_ = true;
  bool finished_ = false;
};

void sync_fd(const std::string& path, int fd);
void sync_directory(const std::string& path);
void rename_path(const std::string& from, const std::string& to);
// Removes a file, or a folder with what is in it; symbolic links are not followed.
void remove_tree(const std::string& path);

}  // namespace adjoint::io
