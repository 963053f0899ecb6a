#include <adjoint/core/error.h>
#include <adjoint/data/text_corpus.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>

#include "tests/temporary_folder.h"

namespace adjoint::data {
namespace {

std::string load_error(const std::vector<std::string>& paths, const CorpusOptions& options = {}) {
  try {
    TextCorpus::load(paths, options);
  } catch (const IoError& error) {
    return error.what();
  }
  return "(no error)";
}

std::vector<std::string> names(const TextCorpus& corpus) {
  std::vector<std::string> result;
  for (const TextFile& file : corpus.files()) result.push_back(file.name);
  return result;
}

TEST(TextCorpus, ReadsFoldersInOrderOfNames) {
  const TemporaryFolder folder;
  folder.write("b.txt", "B");
  folder.write("a/z.cpp", "Z");
  folder.write("a/y.txt", "Y");
  folder.write("a/.hidden", "\xff");
  folder.write(".git/config", "\xff");
  folder.write("empty.txt", "");
  const TextCorpus all = TextCorpus::load(std::vector<std::string>{folder.root()});
  EXPECT_EQ(names(all), (std::vector<std::string>{"a/y.txt", "a/z.cpp", "b.txt"}));
  EXPECT_EQ(all.joined(), "YZB");
  EXPECT_EQ(all.bytes(), 3);
  const TextCorpus some =
      TextCorpus::load(std::vector<std::string>{folder.root()}, {.extensions = {".cpp"}});
  EXPECT_EQ(some.joined(), "Z");
  const TextCorpus two =
      TextCorpus::load(std::vector<std::string>{folder.path("b.txt"), folder.path("a")});
  EXPECT_EQ(two.joined(), "BYZ");
}

TEST(TextCorpus, SaysWhichPathIsWrongAndWhy) {
  const TemporaryFolder folder;
  const std::string empty = folder.write("empty.txt", "");
  const std::string bad = folder.write("bad/bad.txt", "ab\xc3(");
  const std::string good = folder.write("good.txt", "text");
  const std::string missing = folder.path("missing.txt");
  EXPECT_EQ(load_error({missing}), missing + ": no such file or folder");
  EXPECT_NE(load_error({empty}).find(empty + ": the file is empty"), std::string::npos);
  EXPECT_NE(load_error({bad}).find(bad + ": not valid UTF-8: the byte at offset 2"),
            std::string::npos);
  EXPECT_NE(load_error({folder.path("bad")}).find("offset 2"), std::string::npos);
  EXPECT_NE(load_error({good, good}).find("named twice"), std::string::npos);
  EXPECT_NE(load_error({folder.root()}, {.extensions = {".py"}}).find("no text files"),
            std::string::npos);
  EXPECT_NE(load_error({}).find("no path"), std::string::npos);
  const std::string pipe = folder.path("loop");
  std::filesystem::create_symlink(pipe, pipe);
  EXPECT_NE(load_error({pipe}), "(no error)");
}

TextCorpus corpus_of(const std::vector<std::string>& texts) {
  std::vector<TextFile> files;
  for (size_t i = 0; i < texts.size(); ++i) {
    files.push_back({std::to_string(i), "file" + std::to_string(i), texts[i]});
  }
  return TextCorpus(files);
}

TEST(TextSplit, TheTailIsATenthOfTheCharacters) {
  const TextSplit split = split_tail(corpus_of({"0123456789", "abcdefghij"}));
  EXPECT_EQ(split.train, "0123456789abcdefgh");
  EXPECT_EQ(split.validation, "ij");
  // As nanoGPT: int(n * 0.9) tokens are learnt.
  EXPECT_EQ(split_tail(corpus_of({std::string(1115394, 'x')})).train.size(), 1003854U);
  // Characters of several bytes are not cut.
  const TextSplit wide = split_tail(corpus_of({"\u00e9\u00e9\u00e9\u00e9"}), 0.5);
  EXPECT_EQ(wide.train, "\u00e9\u00e9");
  EXPECT_EQ(wide.validation, "\u00e9\u00e9");
  EXPECT_THROW(split_tail(corpus_of({"abc"}), 0), ConfigError);
  EXPECT_THROW(split_tail(corpus_of({"abc"}), 1), ConfigError);
}

TEST(TextSplit, WholeFilesAreHeldOut) {
  std::vector<std::string> texts;
  for (int i = 0; i < 50; ++i) {
    texts.emplace_back(static_cast<size_t>(90 + i % 7), static_cast<char>('A' + i));
  }
  const TextCorpus corpus = corpus_of(texts);
  const TextSplit split = split_files(corpus, 7);
  EXPECT_EQ(split.train.size() + split.validation.size(), static_cast<size_t>(corpus.bytes()));
  EXPECT_GE(static_cast<double>(split.validation.size()),
            0.1 * static_cast<double>(corpus.bytes()));
  EXPECT_LE(static_cast<double>(split.validation.size()),
            0.125 * static_cast<double>(corpus.bytes()));
  for (const std::string& text : texts) {
    EXPECT_NE(split.train.find(text) == std::string::npos,
              split.validation.find(text) == std::string::npos);
  }
  EXPECT_EQ(split_files(corpus, 7).validation_files, split.validation_files);
  EXPECT_NE(split_files(corpus, 8).validation_files, split.validation_files);
  EXPECT_THROW(split_files(corpus_of({"one"}), 7), IoError);
  // Also where every file is large.
  const TextSplit two = split_files(corpus_of({"abcdef", "ghij"}), 7);
  EXPECT_EQ(two.train, "abcdef");
  EXPECT_EQ(two.validation, "ghij");
}

TEST(TextSplit, TheFingerprintNoticesChanges) {
  const TextSplit split{"abc", "de", {}};
  EXPECT_EQ(fingerprint(split), fingerprint({"abc", "de", {"other"}}));
  EXPECT_NE(fingerprint(split), fingerprint({"abd", "de", {}}));
  EXPECT_NE(fingerprint(split), fingerprint({"abcd", "e", {}}));
  EXPECT_NE(fingerprint(split), fingerprint({"abc", "df", {}}));
}

}  // namespace
}  // namespace adjoint::data
