#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/random.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/text_corpus.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>
#include <string_view>

namespace adjoint::data {
namespace {

namespace fs = std::filesystem;

// Fowler, Noll, Vo: www.isthe.com/chongo/tech/comp/fnv.
constexpr uint64_t kFnvStart = 0xCBF29CE484222325;

uint64_t fnv1a(uint64_t hash, std::string_view bytes) {
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

// `advice` ends the message where it is none.
std::string checked_text(const std::string& path, const char* advice = "") {
  std::string text = io::read_text(path);
  const auto bad = find_invalid_utf8(text);
  check<IoError>(!bad, path, ": not valid UTF-8: the byte at offset ", bad.value_or(0),
                 " does not belong to a character; expected a text file", advice);
  return text;
}

bool is_hidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

// With or without the dot: "txt" is ".txt".
bool is_wanted(const fs::path& path, const std::vector<std::string>& extensions) {
  const std::string extension = path.extension().string();
  return extensions.empty() ||
         std::any_of(extensions.begin(), extensions.end(), [&](const std::string& wanted) {
           return extension == (wanted.empty() || wanted[0] == '.' ? wanted : "." + wanted);
         });
}

// The files of a folder as {path, name}, sorted by name.
std::vector<TextFile> files_under(const std::string& folder, const CorpusOptions& options) {
  std::vector<TextFile> files;
  try {
    fs::recursive_directory_iterator entries{fs::path(folder)};
    for (; entries != fs::recursive_directory_iterator(); ++entries) {
      if (is_hidden(entries->path())) {
        if (entries->is_directory()) entries.disable_recursion_pending();
        continue;
      }
      if (!entries->is_regular_file()) continue;
      if (!is_wanted(entries->path(), options.extensions)) continue;
      files.push_back({entries->path().string(),
                       entries->path().lexically_relative(folder).generic_string(),
                       {}});
    }
  } catch (const fs::filesystem_error& error) {
    fail<IoError>(folder, ": the folder cannot be read: ", error.code().message());
  }
  std::sort(files.begin(), files.end(),
            [](const TextFile& a, const TextFile& b) { return a.name < b.name; });
  return files;
}

std::vector<TextFile> read_folder(const std::string& folder, const CorpusOptions& options) {
  std::vector<TextFile> files;
  for (TextFile& file : files_under(folder, options)) {
    file.text =
        checked_text(file.path, "; --extensions .txt would take only some files of a folder");
    if (!file.text.empty()) files.push_back(std::move(file));
  }
  check<IoError>(!files.empty(), folder, ": the folder has no text files",
                 options.extensions.empty() ? "" : " with the extensions asked for",
                 "; expected at least one that is not empty");
  return files;
}

void check_fraction(double fraction) {
  check<ConfigError>(fraction > 0 && fraction < 1, "split: fraction ", fraction,
                     "; expected a value between 0 and 1");
}

}  // namespace

TextCorpus TextCorpus::load(std::span<const std::string> paths, const CorpusOptions& options) {
  check<IoError>(!paths.empty(), "TextCorpus: no path was given; expected files or folders");
  std::vector<TextFile> files;
  std::set<fs::path> seen;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    check<IoError>(fs::exists(status), path, ": no such file or folder");
    std::vector<TextFile> found;
    if (fs::is_directory(status)) {
      found = read_folder(path, options);
    } else {
      // /dev/zero has no end. A pipe has one.
      check<IoError>(!fs::is_character_file(status) && !fs::is_block_file(status), path,
                     ": a device; expected a file, a folder or a pipe");
      found.push_back({path, fs::path(path).filename().string(), checked_text(path)});
      check<IoError>(!found[0].text.empty(), path, ": the file is empty; expected text");
    }
    for (TextFile& file : found) {
      const fs::path real = fs::weakly_canonical(file.path, error);
      check<IoError>(error || seen.insert(real).second, file.path,
                     ": the file was named twice; name it once");
      files.push_back(std::move(file));
    }
  }
  return TextCorpus(std::move(files));
}

int64_t TextCorpus::bytes() const {
  int64_t sum = 0;
  for (const TextFile& file : files_) sum += static_cast<int64_t>(file.text.size());
  return sum;
}

std::string TextCorpus::joined() const {
  std::string text;
  text.reserve(static_cast<size_t>(bytes()));
  for (const TextFile& file : files_) text += file.text;
  return text;
}

TextSplit split_tail(const TextCorpus& corpus, double fraction) {
  check_fraction(fraction);
  TextSplit split;
  split.train = corpus.joined();
  size_t cut = 0;
  const auto is_tail = [&](size_t at) { return (split.train[at] & 0xC0) == 0x80; };
  if (find_invalid_utf8(split.train)) {
    fail<IoError>("split: the text is not valid UTF-8");
  }
  // The fraction counts characters, as the tokens will: for ASCII, nanoGPT's int(0.9 n).
  int64_t characters = 0;
  for (size_t at = 0; at < split.train.size(); ++at) characters += is_tail(at) ? 0 : 1;
  const auto kept =
      static_cast<int64_t>(std::floor((1 - fraction) * static_cast<double>(characters) + 1e-9));
  for (int64_t left = kept; cut < split.train.size(); ++cut) {
    if (!is_tail(cut) && left-- == 0) break;
  }
  split.validation = split.train.substr(cut);
  split.train.resize(cut);
  return split;
}

TextSplit split_files(const TextCorpus& corpus, uint64_t seed, double fraction) {
  check_fraction(fraction);
  const std::vector<TextFile>& files = corpus.files();
  check<IoError>(files.size() >= 2, "split: ", files.size(),
                 " file; holding out whole files needs at least two");
  std::vector<uint64_t> keys;
  for (const TextFile& file : files) {
    const PhiloxBlock block = philox(seed, 0, fnv1a(kFnvStart, file.name));
    keys.push_back(uint64_t{block.word[1]} << 32 | block.word[0]);
  }
  std::vector<size_t> order(files.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return keys[a] < keys[b]; });

  const double wanted = fraction * static_cast<double>(corpus.bytes());
  double taken = 0;
  std::vector<bool> held_out(files.size());
  size_t count = 0;
  for (const size_t i : order) {
    const auto size = static_cast<double>(files[i].text.size());
    if (taken >= wanted || taken + size > 1.25 * wanted || count + 1 == files.size()) continue;
    held_out[i] = true;
    taken += size;
    ++count;
  }
  if (count == 0) {  // all are large: the smallest
    const auto smaller = [](const TextFile& a, const TextFile& b) {
      return a.text.size() < b.text.size();
    };
    held_out[static_cast<size_t>(std::min_element(files.begin(), files.end(), smaller) -
                                 files.begin())] = true;
  }
  TextSplit split;
  for (size_t i = 0; i < files.size(); ++i) {
    (held_out[i] ? split.validation : split.train) += files[i].text;
    if (held_out[i]) split.validation_files.push_back(files[i].name);
  }
  return split;
}

uint64_t fingerprint(const TextSplit& split) {
  const uint64_t train = fnv1a(kFnvStart, split.train);
  // The length keeps a text that moved from one part to the other from going unnoticed.
  return fnv1a(fnv1a(train, std::to_string(split.train.size())), split.validation);
}

}  // namespace adjoint::data
