#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/json.h>

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

// Note [Manifest]
// MANIFEST.json is {"format", "version", "files": [{"name", "size", "crc32c"}...], "crc32c"}, where
// the last is the checksum of the same text without that member. The text must be the one that
// would be written for its content, so a change of any byte, white space included, is found.
constexpr const char* kManifest = "MANIFEST.json";
constexpr const char* kFormat = "adjoint-manifest";
constexpr int64_t kVersion = 1;
constexpr uint64_t kMaxManifest = uint64_t{16} << 20;

std::string seal(Json manifest) {
  const std::string open = manifest.dump(2);
  manifest["crc32c"] = crc32c_hex(crc32c(0, std::as_bytes(std::span(open))));
  return manifest.dump(2) + "\n";
}

std::string trimmed(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::symlink_status(path, error).type() !=
         std::filesystem::file_type::not_found;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

void verify_file(const std::string& directory, const std::string& name, uint64_t size,
                 const std::string& crc) {
  const std::string path = directory + "/" + name;
  InputFile file(path);
  const auto actual = static_cast<uint64_t>(std::max<off_t>(file.size(), 0));
  check<IoError>(actual == size, path, actual < size ? ": cut off: " : ": too long: ", actual,
                 " bytes; expected ", size, " by the manifest");
  std::vector<std::byte> buffer(size_t{1} << 20);
  uint32_t sum = 0;
  uint64_t total = 0;
  while (const size_t n = file.read(buffer.data(), buffer.size())) {
    sum = crc32c(sum, std::span(buffer).first(n));
    total += n;
  }
  check<IoError>(total == size && crc32c_hex(sum) == crc, path,
                 ": changed since it was written: ", "its CRC-32C is ", crc32c_hex(sum),
                 "; expected ", crc, " by the manifest");
}

}  // namespace

AtomicDirectory::AtomicDirectory(const std::string& target, Existing existing)
    : target_(trimmed(target)), temporary_(temporary_beside(target_)), existing_(existing) {
  check<IoError>(existing == Existing::replace || !exists(target_), target_, ": is already there");
  if (file_ops().make_directory(temporary_.c_str(), 0777) != 0) {
    fail_errno(temporary_.c_str(), "cannot make the folder");
  }
}

AtomicDirectory::~AtomicDirectory() {
  if (!owns_temporary_) return;
  try {
    remove_tree(temporary_);
  } catch (const std::exception&) {
    // What stays is found by remove_stale_temporaries().
  }
}

void AtomicDirectory::write(const std::string& name, const WriteBody& body) {
  check<IoError>(is_plain_name(name) && name != kManifest, target_, "/", name,
                 ": not a name for a file of this folder");
  for (const Entry& entry : entries_) {
    check<IoError>(entry.name != name, target_, "/", name, ": written twice");
  }
  FileWriter writer(temporary_ + "/" + name);
  body(writer.sink());
  writer.finish();
  entries_.push_back({name, writer.sink().size(), writer.sink().crc32c()});
}

void AtomicDirectory::write(const std::string& name, std::span<const std::byte> bytes) {
  write(name, [&](FileSink& out) {
    out.reserve(bytes.size());
    out.append(bytes);
  });
}

void AtomicDirectory::write(const std::string& name, std::string_view text) {
  write(name, std::as_bytes(std::span(text)));
}

void AtomicDirectory::commit() {
  check<IoError>(owns_temporary_, target_, ": committed twice");
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  Json files = Json::array();
  for (const Entry& entry : entries_) {
    files.push_back(Json::object(
        {{"name", entry.name}, {"size", entry.size}, {"crc32c", crc32c_hex(entry.crc)}}));
  }
  const std::string text =
      seal(Json::object({{"format", kFormat}, {"version", kVersion}, {"files", std::move(files)}}));
  {
    FileWriter writer(temporary_ + "/" + kManifest);
    writer.sink().append(text);
    writer.finish();
  }
  sync_directory(temporary_);

  const std::string parent = parent_of(target_);
  if (!exists(target_)) {
    rename_path(temporary_, target_);
    owns_temporary_ = false;
    sync_directory(parent);
    return;
  }
  check<IoError>(existing_ == Existing::replace, target_, ": is already there");
  // Afterwards the temporary name is the old folder's.
  if (file_ops().exchange(temporary_.c_str(), target_.c_str()) == 0) {
    owns_temporary_ = false;
    sync_directory(parent);
    remove_tree(temporary_);
    return;
  }
  const std::string old = temporary_beside(target_);
  rename_path(target_, old);
  try {
    rename_path(temporary_, target_);
  } catch (...) {
    file_ops().rename(old.c_str(), target_.c_str());
    throw;
  }
  owns_temporary_ = false;
  sync_directory(parent);
  remove_tree(old);
}

void verify_manifest(const std::string& directory) {
  const std::string path = trimmed(directory) + "/" + kManifest;
  const std::string text = read_text(path, kMaxManifest);
  Json manifest = Json::parse(text, path);
  Json open = manifest;
  const bool sealed = open.is_object() && open.erase("crc32c");
  check<IoError>(sealed && seal(std::move(open)) == text, path,
                 ": changed since it was written: its own checksum does not fit");
  const auto format = manifest.get<std::string>("format");
  check<IoError>(format == kFormat, path, ": format: \"", format, "\"; expected \"", kFormat, "\"");
  const auto version = manifest.get<int64_t>("version");
  check<IoError>(version == kVersion, path, ": version: ", version, "; expected ", kVersion,
                 ", which is what this build of adjoint reads");
  for (size_t i = 0; i < manifest.at("files").size(); ++i) {
    const auto name = manifest.get<std::string>("files", i, "name");
    check<IoError>(is_plain_name(name), path, ": not a name for a file of this folder: ", name);
    verify_file(trimmed(directory), name, manifest.get<uint64_t>("files", i, "size"),
                manifest.get<std::string>("files", i, "crc32c"));
  }
}

std::optional<std::string> manifest_error(const std::string& directory) {
  try {
    verify_manifest(directory);
  } catch (const IoError& error) {
    return error.what();
  }
  return std::nullopt;
}

}  // namespace adjoint::io
