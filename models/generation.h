// Text from a language model: one token after the other, each drawn from what the model expects.
#pragma once

#include <adjoint/core/inference_weights.h>
#include <adjoint/core/random.h>
#include <adjoint/data/char_tokenizer.h>
#include <adjoint/models/language_model.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint::models {

struct SamplingOptions {
  double temperature = 1.0;  // divides the logits; 0 takes the most probable token
  int64_t top_k = 0;         // only the k most probable tokens; 0: all
  // Only the most probable tokens that together have this probability, at least one
  // (Holtzman et al. 2020, arXiv 1904.09751).
  double top_p = 1.0;

  void validate() const;  // ConfigError naming the field, its value and the range
};

// Draws a token. Of equal logits the lower token comes first. Throws Error where a logit is NaN or
// none is finite and largest.
data::Token sample(std::span<const double> logits, const SamplingOptions& options,
                   Generator& generator);

struct GenerationOptions {
  int64_t max_tokens = 200;
  SamplingOptions sampling = {};
  uint64_t seed = 0;
  std::vector<std::string> stop = {};  // the text ends before the first of these
  bool use_cache = true;               // the same text without, more slowly
  // Of the products; bf16 and int8 read half and a quarter of the bytes, for another text.
  WeightFormat weights = WeightFormat::f32;
};

// Continues a prompt of one token or more. Every token goes to `on_token`, which may end it by
// returning false. A text that outgrows block_size goes on from its last block_size tokens. The
// model computes in eval mode and is left in the mode that it was in.
void generate(LanguageModel& model, std::span<const data::Token> prompt,
              const GenerationOptions& options, const std::function<bool(data::Token)>& on_token);

// The same on text, without the prompt. `on_text` sees pieces as they become certain (whatever may
// be the beginning of a stop string is held back).
std::string generate_text(LanguageModel& model, const data::CharTokenizer& tokenizer,
                          std::string_view prompt, const GenerationOptions& options,
                          const std::function<void(std::string_view)>& on_text = {});

}  // namespace adjoint::models
