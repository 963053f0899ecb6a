// The most probable continuations, several at a time.
#pragma once

#include <adjoint/data/tokenizer.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace adjoint::models {

struct BeamSearchOptions {
  int64_t beam_size = 4;
  int64_t max_length = 64;  // tokens, that of the end among them
  // Of texts of different lengths: log-probabilities are divided by ((5 + length) / 6)^this. Wu et
  // al. 2016, arXiv 1609.08144, equation 14. 0 favours short texts.
  double length_penalty = 0.6;
  data::Token end = 0;  // the token that ends a text

  void validate() const;  // ConfigError naming the field, its value and the range
};

struct Hypothesis {
  std::vector<data::Token> tokens;  // without the end
  double log_probability = 0;       // with it, in nats
  double score = 0;                 // that after the penalty
  bool ended = false;               // or cut at max_length
};

// The log-probabilities of the next token of each text, a row each. `parents` says which of the
// texts of the last call each one goes on from, `last` what its newest token is; in the first call
// there is one text, empty, with parent 0 and no last token.
using NextLogProbabilities = std::function<std::vector<std::vector<double>>(
    std::span<const int64_t> parents, std::span<const data::Token> last)>;

// At most beam_size hypotheses, the best first; of equal ones that of the lower tokens. With a beam
// as wide as there are texts, the search is exhaustive.
std::vector<Hypothesis> beam_search(const NextLogProbabilities& next,
                                    const BeamSearchOptions& options);

}  // namespace adjoint::models
