#include "models/train/corpus.h"

#include <adjoint/data/generated.h>

#include <cstdio>
#include <filesystem>
#include <set>

namespace adjoint::train {
namespace {

// From this many files on, whole files are held out.
constexpr size_t kManyFiles = 10;
constexpr size_t kGeneratedBytes = 400'000;

std::string file_count(size_t count) {
  return std::to_string(count) + (count == 1 ? " file" : " files");
}

// A file that is in both would be examined on after it was learnt.
void check_disjoint(const data::TextCorpus& learnt, const data::TextCorpus& examined) {
  std::error_code ignored;
  const auto real = [&](const data::TextFile& file) {
    return std::filesystem::weakly_canonical(file.path, ignored);
  };
  std::set<std::filesystem::path> seen;
  for (const data::TextFile& file : learnt.files()) seen.insert(real(file));
  for (const data::TextFile& file : examined.files()) {
    check<ConfigError>(seen.count(real(file)) == 0, "--val-data: ", file.path,
                       " is in --data too; what is learnt must not be examined, leave it out of "
                       "one of them");
  }
}

// What is learnt without files: simple English.
data::TextCorpus generated_corpus(int64_t seed) {
  return data::TextCorpus(
      {{.path = "generated",
        .name = "generated",
        .text = data::generated_text(kGeneratedBytes, static_cast<uint64_t>(seed))}});
}

}  // namespace

std::string hexadecimal(uint64_t number) {
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%016llx", static_cast<unsigned long long>(number));
  return hex;
}

LearningText load_text(const TextSettings& settings) {
  check<UsageError>(!settings.data.empty() || settings.val_data.empty(),
                    "--val-data: a text to be examined on without one to learn; expected --data "
                    "PATH... too");
  const data::CorpusOptions options{.extensions = settings.extensions};
  const data::TextCorpus corpus = settings.data.empty()
                                      ? generated_corpus(settings.seed)
                                      : data::TextCorpus::load(settings.data, options);
  LearningText text;
  std::string held_out;
  if (!settings.val_data.empty()) {
    const data::TextCorpus examined = data::TextCorpus::load(settings.val_data, options);
    check_disjoint(corpus, examined);
    text.split.train = corpus.joined();
    text.split.validation = examined.joined();
    held_out = file_count(examined.files().size()) + " of their own";
  } else if (settings.val_split == "files" ||
             (settings.val_split == "auto" && corpus.files().size() >= kManyFiles)) {
    check<ConfigError>(corpus.files().size() > 1,
                       "--val-split: 'files', but --data has one file; expected at least two, or "
                       "--val-split tail");
    text.split =
        data::split_files(corpus, static_cast<uint64_t>(settings.seed), settings.val_fraction);
    held_out = file_count(text.split.validation_files.size()) + ", whole";
  } else {
    text.split = data::split_tail(corpus, settings.val_fraction);
    held_out = "the text's end";
  }
  text.description = (settings.data.empty() ? "data: generated text, for want of --data, "
                                            : "data: " + file_count(corpus.files().size()) + ", ") +
                     std::to_string(text.split.train.size()) + " bytes to learn, " +
                     std::to_string(text.split.validation.size()) + " to be examined on (" +
                     held_out + ")";
  text.fingerprint = hexadecimal(data::fingerprint(text.split));
  return text;
}

}  // namespace adjoint::train
