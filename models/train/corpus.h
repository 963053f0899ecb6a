// From the options about data to texts.
#pragma once

#include <adjoint/data/text_corpus.h>

#include <cstdint>
#include <string>

#include "models/train/settings.h"

namespace adjoint::train {

struct LearningText {
  data::TextSplit split;
  std::string description;  // a line for people
  std::string fingerprint;  // in hexadecimal
};

// A checksum as it is written down.
std::string hexadecimal(uint64_t number);

// Reads --data and --val-data and divides them as --val-split asks; without --data the text is
// generated (data/generated.h), and the description says so. IoError for what cannot be read.
LearningText load_text(const TextSettings& settings);

}  // namespace adjoint::train
