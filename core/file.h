// Files that are whole or absent: reading with a limit, and writing that survives errors, kills and
// power cuts.
//
// What is written goes to a temporary name beside its target, is checked at every call, synced,
// renamed, and the folder synced. A failure throws IoError naming the path and the system's reason,
// leaves what was there before, and removes nothing but the temporary. Several threads may use
// these functions at once, on different targets.
//
// Paths are strings; std::filesystem::path converts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint::io {

// The largest file that the readers take unless told otherwise.
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 36;

// The whole file. Throws IoError where it is missing, a folder, unreadable or above max_bytes; the
// size is looked at before memory is taken.
std::vector<std::byte> read_file(const std::string& path, uint64_t max_bytes = kMaxFileBytes);
std::string read_text(const std::string& path, uint64_t max_bytes = kMaxFileBytes);

// Where the bytes of a file being written go. Counts and checksums what passes through it.
class FileSink {
 public:
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;

  void append(std::span<const std::byte> bytes);
  void append(std::string_view text);
  // Has the system set aside room for a file of this many bytes, so that a full disk shows before
  // the writing.
  void reserve(uint64_t bytes);

  // What was appended so far.
  uint64_t size() const { return size_; }
  uint32_t crc32c() const { return crc_; }

 private:
  friend class FileWriter;
  FileSink(std::string path, int fd);
  ~FileSink();
  void flush();

  std::string path_;
  int fd_;
  uint64_t size_ = 0;
  uint32_t crc_ = 0;
  std::vector<std::byte> buffer_;
};

using WriteBody = std::function<void(FileSink&)>;

// Replaces the file at path, or makes it, by what body appends: afterwards it is there whole and
// on the disk, or an exception left what was there before. A symbolic link is replaced, not
// followed.
void write_file_atomic(const std::string& path, const WriteBody& body);
void write_file_atomic(const std::string& path, std::span<const std::byte> bytes);
void write_file_atomic(const std::string& path, std::string_view text);

// Makes a folder, and those above it that are missing, and syncs the folders they were made in.
void create_directories(const std::string& path);

// A folder that appears whole, with a MANIFEST.json that lists size and checksum of each file.
//
//   AtomicDirectory folder("run/step-00000120");          // run/ must be there
//   folder.write("state.json", state.dump(2));
//   folder.write("model.safetensors", [&](FileSink& out) { save_safetensors(out, weights); });
//   folder.commit();                                      // now run/step-00000120 is there
//   write_file_atomic("run/latest", "step-00000120\n");
class AtomicDirectory {
 public:
  // What commit() does where the target is already there.
  enum class Existing { fail, replace };

  // Makes the temporary folder beside target. Throws where target exists and must not.
  explicit AtomicDirectory(const std::string& target, Existing existing = Existing::fail);
  // Removes the temporary folder, unless committed. A killed process leaves it for
  // remove_stale_temporaries().
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  // Writes and syncs one file. name is a plain file name, other than MANIFEST.json and those
  // already written.
  void write(const std::string& name, const WriteBody& body);
  void write(const std::string& name, std::span<const std::byte> bytes);
  void write(const std::string& name, std::string_view text);

  // Writes the manifest, syncs, and gives the folder its name. Where the target exists and may be
  // replaced, both are exchanged in one step (where the file system can; else the old one is moved
  // away first) and the old one is removed.
  void commit();

 private:
  struct Entry {
    std::string name;
    uint64_t size;
    uint32_t crc;
  };

  std::string target_;
  std::string temporary_;
  Existing existing_;
  std::vector<Entry> entries_;
  bool owns_temporary_ = true;
};

// Checks the folder against its MANIFEST.json, reading every listed file once in little memory.
// Throws IoError naming the first file that is missing, cut off or changed, and why. Every change
// of a listed file or of the manifest is found that CRC-32C finds, so every flip of one bit. Files
// that the manifest does not list are ignored.
void verify_manifest(const std::string& directory);

// The same, as text: nothing where the folder is whole.
std::optional<std::string> manifest_error(const std::string& directory);

// Removes a folder and what is in it, not following symbolic links: it is first renamed to a
// temporary name, so that nobody finds half of it.
void remove_directory(const std::string& path);

// Removes from a folder the temporaries (`.tmp-*`) of processes of this machine that no longer run,
// and returns how many. Those of running processes and of other machines stay.
int remove_stale_temporaries(const std::string& directory);

}  // namespace adjoint::io
