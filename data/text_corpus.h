// Text from files and folders, and its division into a part to learn and a part to be examined on.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace adjoint::data {

struct TextFile {
  std::string path;  // as it can be opened
  std::string name;  // relative to the folder it was found in: independent of where that lies
  std::string text;  // UTF-8, never empty
};

struct CorpusOptions {
  // Which files of a folder are taken, such as {".cpp", "h"}; all if empty. A file that is named
  // itself is taken whatever it is called.
  std::vector<std::string> extensions = {};
};

// Files in the order in which their paths were given, those of a folder (read recursively, without
// names that begin with a dot, without following links to folders) sorted by name.
class TextCorpus {
 public:
  // Throws IoError naming the path where one is missing, unreadable, empty, given twice, a folder
  // without text, or not UTF-8 (with the offset of the first bad byte). Empty files in a folder are
  // passed over.
  static TextCorpus load(std::span<const std::string> paths, const CorpusOptions& options = {});

  explicit TextCorpus(std::vector<TextFile> files) : files_(std::move(files)) {}

  const std::vector<TextFile>& files() const { return files_; }
  int64_t bytes() const;
  std::string joined() const;

 private:
  std::vector<TextFile> files_;
};

struct TextSplit {
  std::string train, validation;              // files joined in order, nothing between them
  std::vector<std::string> validation_files;  // names; empty where the text's end is held out
};

// The last `fraction` of the joined text is held out (cut between two characters): what nanoGPT
// does, for texts of one piece.
TextSplit split_tail(const TextCorpus& corpus, double fraction = 0.1);

// Whole files are held out, about `fraction` of the bytes: files are taken in an order that depends
// on seed and names alone, and each that would make it more than 5/4 of the fraction is left.
// At least one file is taken and one left. Throws IoError for fewer than two files.
TextSplit split_files(const TextCorpus& corpus, uint64_t seed, double fraction = 0.1);

// A 64-bit checksum (FNV-1a) of what is learnt and what is examined, to notice that data changed.
uint64_t fingerprint(const TextSplit& split);

}  // namespace adjoint::data
