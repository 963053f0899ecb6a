#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/models/generation.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/support/eval_mode.h"

namespace adjoint::models {
namespace {

using data::Token;

Tensor ids_of(std::span<const Token> tokens) {
  const std::vector<int64_t> ids(tokens.begin(), tokens.end());
  return from_vector(ids, {1, static_cast<int64_t>(ids.size())});
}

// The logits after a text, from a cache as long as the text fits into the context. Once the text
// slides, each step moves every token, and nothing can be kept: of learned positions because they
// are absolute, of rotary ones because deeper layers have seen what falls out.
class Reader {
 public:
  Reader(const LanguageModel& model, const GenerationOptions& options)
      : model_(model), use_cache_(options.use_cache), weights_(options.weights) {}

  std::vector<double> logits_after(std::span<const Token> text) {
    const NoGrad no_grad;
    const InferenceWeights weights(weights_);
    const auto block = static_cast<size_t>(model_.block_size());
    Tensor logits;
    if (use_cache_ && text.size() <= block) {
      if (cache_.layers.empty()) cache_ = model_.make_cache();
      logits = model_.next_logits(ids_of(text.subspan(static_cast<size_t>(cache_.length))), cache_);
    } else {
      logits = model_.next_logits(ids_of(text.last(std::min(block, text.size()))));
    }
    return logits.to(DType::f64).to_vector<double>();
  }

 private:
  const LanguageModel& model_;
  bool use_cache_;
  WeightFormat weights_;
  KvCache cache_;
};

// How much of the end of the text may yet become a stop string.
size_t undecided(std::string_view text, const std::vector<std::string>& stops) {
  size_t longest = 0;
  for (const std::string& stop : stops) {
    const size_t most = std::min(stop.size() - 1, text.size());
    for (size_t n = most; n > longest; --n) {
      if (text.ends_with(std::string_view(stop).substr(0, n))) longest = n;
    }
  }
  return longest;
}

// The candidates in falling order of probability, with probabilities that need not add up to 1,
// cut to the top_k.
struct Candidates {
  std::vector<Token> tokens;
  std::vector<double> weights;
};

Candidates candidates(std::span<const double> logits, const SamplingOptions& options) {
  Candidates all;
  all.tokens.resize(logits.size());
  std::iota(all.tokens.begin(), all.tokens.end(), 0);
  const auto before = [&](Token a, Token b) {
    const double x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  };
  size_t kept = all.tokens.size();
  if (options.top_k > 0) kept = std::min(kept, static_cast<size_t>(options.top_k));
  const auto middle = all.tokens.begin() + static_cast<std::ptrdiff_t>(kept);
  std::partial_sort(all.tokens.begin(), middle, all.tokens.end(), before);
  all.tokens.resize(kept);
  const double largest = logits[static_cast<size_t>(all.tokens[0])];
  for (const Token token : all.tokens) {
    const double logit = logits[static_cast<size_t>(token)];
    all.weights.push_back(std::exp((logit - largest) / options.temperature));
  }
  return all;
}

}  // namespace

void SamplingOptions::validate() const {
  check<ConfigError>(temperature >= 0 && std::isfinite(temperature), "sampling: temperature is ",
                     temperature, "; expected 0 (the most probable token) or more");
  check<ConfigError>(top_k >= 0, "sampling: top_k is ", top_k, "; expected 0 (all) or more");
  check<ConfigError>(top_p > 0 && top_p <= 1, "sampling: top_p is ", top_p,
                     "; expected above 0 and at most 1");
}

Token sample(std::span<const double> logits, const SamplingOptions& options, Generator& generator) {
  options.validate();
  check(!logits.empty(), "sample: no logits; expected one a token");
  for (const double logit : logits) {
    check(!std::isnan(logit), "sample: a logit is NaN; expected numbers");
  }
  const auto largest = std::max_element(logits.begin(), logits.end());
  check(std::isfinite(*largest), "sample: the largest logit is ", *largest,
        "; expected a finite one");
  if (options.temperature == 0) return static_cast<Token>(largest - logits.begin());
  const Candidates all = candidates(logits, options);
  const double total = std::accumulate(all.weights.begin(), all.weights.end(), 0.0);
  size_t kept = 0;
  double sum = 0;
  while (kept < all.weights.size() && (kept == 0 || sum < options.top_p * total)) {
    sum += all.weights[kept++];
  }
  double left = generator.next_uniform() * sum;
  for (size_t i = 0; i < kept; ++i) {
    left -= all.weights[i];
    if (left < 0) return all.tokens[i];
  }
  return all.tokens[kept - 1];
}

void generate(LanguageModel& model, std::span<const Token> prompt, const GenerationOptions& options,
              const std::function<bool(Token)>& on_token) {
  options.sampling.validate();
  check<ConfigError>(options.max_tokens >= 0, "generate: max_tokens is ", options.max_tokens,
                     "; expected 0 or more");
  check<ConfigError>(!prompt.empty(), "generate: the prompt is empty; expected a token or more");
  const EvalMode eval(model.module());
  Generator generator(options.seed);
  Reader reader(model, options);
  std::vector<Token> text(prompt.begin(), prompt.end());
  for (int64_t i = 0; i < options.max_tokens; ++i) {
    const Token token = sample(reader.logits_after(text), options.sampling, generator);
    text.push_back(token);
    if (!on_token(token)) return;
  }
}

std::string generate_text(LanguageModel& model, const data::CharTokenizer& tokenizer,
                          std::string_view prompt, const GenerationOptions& options,
                          const std::function<void(std::string_view)>& on_text) {
  check<ConfigError>(tokenizer.vocab_size() <= model.vocab_size(), "generate: the tokenizer has ",
                     tokenizer.vocab_size(), " tokens; expected at most the model's vocab_size, ",
                     model.vocab_size());
  for (const std::string& stop : options.stop) {
    check<ConfigError>(!stop.empty(),
                       "generate: a stop string is empty; expected a character or more");
  }
  std::string text;
  size_t shown = 0;
  const auto show = [&](size_t end) {
    if (on_text && end > shown) on_text(std::string_view(text).substr(shown, end - shown));
    shown = std::max(shown, end);
  };
  generate(model, tokenizer.encode(prompt, {.source = "prompt"}), options, [&](Token token) {
    text += tokenizer.decode(token);
    // A stop string ends with the newest character, or is not there yet.
    size_t cut = std::string::npos;
    for (const std::string& stop : options.stop) {
      if (text.ends_with(stop)) cut = std::min(cut, text.size() - stop.size());
    }
    if (cut != std::string::npos) {
      text.resize(cut);
      show(cut);
      return false;
    }
    show(text.size() - undecided(text, options.stop));
    return true;
  });
  show(text.size());
  return text;
}

}  // namespace adjoint::models
