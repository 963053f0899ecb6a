#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/models/generation.h>
#include <adjoint/optim/sgd.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "tests/models/model_bits.h"

namespace adjoint::models {
namespace {

using data::CharTokenizer;
using data::Token;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// --- drawing one token ---

// The probabilities after temperature, top-k and top-p, from their definitions.
std::vector<double> exact(const std::vector<double>& logits, const SamplingOptions& options) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  if (options.top_k > 0) {
    order.resize(std::min(order.size(), static_cast<size_t>(options.top_k)));
  }
  double total = 0;
  for (const size_t i : order) total += std::exp(logits[i] / options.temperature);
  std::vector<double> p(logits.size());
  double sum = 0;
  for (const size_t i : order) {
    if (sum >= options.top_p) break;
    p[i] = std::exp(logits[i] / options.temperature) / total;
    sum += p[i];
  }
  for (double& x : p) x /= sum;
  return p;
}

TEST(Sample, FollowsTheExactProbabilities) {
  const std::vector<double> logits = {0.3, -1.0, 1.2, 0.9, -kInfinity, 0.0, 1.1, -2.5};
  const std::vector<SamplingOptions> ways = {
      {},
      {.temperature = 0.5},
      {.temperature = 2.0},
      {.top_k = 3},
      {.top_k = 100},
      {.top_p = 0.6},
      {.top_p = 0.95},
      {.top_p = 1e-9},
      {.temperature = 0.7, .top_k = 5, .top_p = 0.8},
  };
  constexpr int kDraws = 20000;
  for (size_t way = 0; way < ways.size(); ++way) {
    const std::vector<double> p = exact(logits, ways[way]);
    Generator generator(way + 1);
    std::vector<int> counts(logits.size());
    for (int i = 0; i < kDraws; ++i) {
      ++counts[static_cast<size_t>(sample(logits, ways[way], generator))];
    }
    double chi_squared = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      if (p[i] == 0) {
        EXPECT_EQ(counts[i], 0) << "way " << way << ", token " << i;
        continue;
      }
      const double expected = kDraws * p[i];
      chi_squared += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    // At most six degrees of freedom: above 38.3 with a chance of 1e-6.
    EXPECT_LT(chi_squared, 38.3) << "way " << way;
  }
}

TEST(Sample, OfEqualLogitsTheLowerTokenComesFirst) {
  const std::vector<double> logits = {0, 2, 2, 2, 1};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Generator generator(seed);
    EXPECT_EQ(sample(logits, {.temperature = 0}, generator), 1);
    EXPECT_EQ(sample(logits, {.top_k = 1}, generator), 1);
    EXPECT_EQ(sample(logits, {.top_p = 1e-6}, generator), 1);
    EXPECT_LE(sample(logits, {.top_k = 2}, generator), 2);
  }
}

TEST(Sample, TinyTemperaturesTakeTheLargest) {
  const std::vector<double> logits = {-800, 3, 3.5, 700};
  Generator generator(1);
  for (const double temperature : {1e-3, 1e-30, std::numeric_limits<double>::denorm_min()}) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(sample(logits, {.temperature = temperature}, generator), 3);
    }
  }
}

TEST(Sample, RefusesWhatIsNoDistribution) {
  Generator generator(1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::vector<double>> wrong = {
      {}, {0, nan}, {nan}, {-kInfinity, -kInfinity}, {0, kInfinity}};
  for (const std::vector<double>& logits : wrong) {
    for (const double temperature : {0.0, 1.0}) {
      EXPECT_TRUE(error_of<Error>([&] {
                    sample(logits, {.temperature = temperature}, generator);
                  }).starts_with("sample: "))
          << logits.size();
    }
  }
  const auto error = [](const SamplingOptions& options) {
    return error_of<ConfigError>([&] { options.validate(); });
  };
  EXPECT_EQ(error({.temperature = -1}),
            "sampling: temperature is -1; expected 0 (the most probable token) or more");
  EXPECT_NE(error({.temperature = nan}), "");
  EXPECT_NE(error({.temperature = kInfinity}), "");
  EXPECT_EQ(error({.top_k = -2}), "sampling: top_k is -2; expected 0 (all) or more");
  EXPECT_EQ(error({.top_p = 0}), "sampling: top_p is 0; expected above 0 and at most 1");
  EXPECT_NE(error({.top_p = 1.5}), "");
  EXPECT_NE(error({.top_p = nan}), "");
  EXPECT_EQ(error({}), "");
}

// --- continuing a text ---

// Weights large enough that the model has opinions.
Gpt opinionated(int64_t vocab_size, uint64_t seed = 1, double dropout = 0) {
  Gpt model = make_gpt({.vocab_size = vocab_size,
                        .block_size = 12,
                        .n_layer = 2,
                        .n_head = 2,
                        .n_embd = 16,
                        .dropout = dropout},
                       seed);
  for (const NamedSlot& slot : model.parameters()) {
    if (slot.slot->stored().dim() == 2) slot.slot->write(slot.slot->stored() * 8);
  }
  return model;
}

std::vector<Token> tokens_of(Gpt& model, const std::vector<Token>& prompt,
                             const GenerationOptions& options) {
  std::vector<Token> tokens;
  generate(model, prompt, options, [&](Token token) {
    tokens.push_back(token);
    return true;
  });
  return tokens;
}

// The most probable continuation by whole forwards over the last block_size tokens.
std::vector<Token> greedy_by_hand(const Gpt& model, std::vector<Token> text, int count) {
  const NoGrad no_grad;
  std::vector<Token> added;
  for (int i = 0; i < count; ++i) {
    const size_t length = std::min(text.size(), static_cast<size_t>(model.config().block_size));
    const std::vector<int64_t> ids(text.end() - static_cast<std::ptrdiff_t>(length), text.end());
    const Tensor logits = model(from_vector(ids, {1, static_cast<int64_t>(length)}));
    const std::vector<double> all = logits.to(DType::f64).to_vector<double>();
    const auto last = all.end() - model.config().vocab_size;
    added.push_back(static_cast<Token>(std::max_element(last, all.end()) - last));
    text.push_back(added.back());
  }
  return added;
}

TEST(Generate, GreedyIsTheArgmaxOfForward) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Gpt model = opinionated(9, seed);
    // Within the context, across its end, and from a prompt that is longer.
    for (const size_t length : {1, 5, 12, 20}) {
      std::vector<Token> prompt(length);
      for (size_t i = 0; i < length; ++i) prompt[i] = static_cast<Token>((i * i + seed) % 9);
      const std::vector<Token> expected = greedy_by_hand(model, prompt, 20);
      GenerationOptions options{.max_tokens = 20, .sampling = {.temperature = 0}};
      EXPECT_EQ(tokens_of(model, prompt, options), expected) << seed << " " << length;
      options.use_cache = false;
      EXPECT_EQ(tokens_of(model, prompt, options), expected) << seed << " " << length;
      options.sampling = {.top_k = 1};
      EXPECT_EQ(tokens_of(model, prompt, options), expected) << seed << " " << length;
    }
  }
}

TEST(Generate, TheSeedDecides) {
  Gpt model = opinionated(9);
  manual_seed(1);
  const GenerationOptions options{.max_tokens = 40, .seed = 3};
  const std::vector<Token> first = tokens_of(model, {1, 2}, options);
  manual_seed(2);
  EXPECT_EQ(tokens_of(model, {1, 2}, options), first);
  EXPECT_NE(tokens_of(model, {1, 2}, {.max_tokens = 40, .seed = 4}), first);
  EXPECT_EQ(first.size(), 40U);
  // A shorter text is the beginning of a longer one.
  EXPECT_EQ(tokens_of(model, {1, 2}, {.max_tokens = 7, .seed = 3}),
            std::vector<Token>(first.begin(), first.begin() + 7));
  EXPECT_TRUE(tokens_of(model, {1, 2}, {.max_tokens = 0}).empty());
}

TEST(Generate, TheCacheDoesNotChangeTheText) {
  for (uint64_t seed = 0; seed < (one_sample() ? 4U : 20U); ++seed) {
    Gpt model = opinionated(9, seed + 1);
    const std::vector<Token> prompt(seed % 15 + 1, static_cast<Token>(seed % 9));
    GenerationOptions options{
        .max_tokens = 30, .sampling = {.temperature = 1.3, .top_k = 6}, .seed = seed};
    const std::vector<Token> with = tokens_of(model, prompt, options);
    options.use_cache = false;
    EXPECT_EQ(tokens_of(model, prompt, options), with) << seed;
  }
}

// The text of the model whose weights are the rounded ones: prompts and tokens, with and without
// the cache. The model itself keeps its weights, and computes with them afterwards.
TEST(Generate, WeightsOfFewerBytesAreOneModel) {
  for (const WeightFormat format : {WeightFormat::bf16, WeightFormat::int8}) {
    int differ = 0;
    for (uint64_t seed = 0; seed < (one_sample() ? 2U : 8U); ++seed) {
      Gpt model = opinionated(9, seed + 1);
      const std::vector<Token> prompt(seed % 15 + 1, static_cast<Token>(seed % 9));
      GenerationOptions options{.max_tokens = 30, .sampling = {.temperature = 1.3}, .seed = seed};
      const std::vector<Token> exact = tokens_of(model, prompt, options);
      options.weights = format;
      const std::vector<Token> with = tokens_of(model, prompt, options);
      options.use_cache = false;
      EXPECT_EQ(tokens_of(model, prompt, options), with) << seed;
      options.weights = WeightFormat::f32;
      EXPECT_EQ(tokens_of(model, prompt, options), exact) << seed;
      differ += with != exact ? 1 : 0;
    }
    EXPECT_EQ(inference_weights(), WeightFormat::f32);
    EXPECT_GT(differ, 0) << name(format);
  }
}

// After a step of training the next text is the new weights'.
TEST(Generate, WeightsOfFewerBytesFollowTheModel) {
  Gpt model = opinionated(9);
  const GenerationOptions options{.max_tokens = 40, .weights = WeightFormat::int8};
  const std::vector<Token> before = tokens_of(model, {1, 2}, options);
  optim::SGD optimizer(model.parameters(), {.lr = 5});
  model
      .loss(from_vector(std::vector<int64_t>{1, 2, 3}, {1, 3}),
            from_vector(std::vector<int64_t>{2, 3, 4}, {1, 3}))
      .backward();
  optimizer.step();
  const std::vector<Token> after = tokens_of(model, {1, 2}, options);
  EXPECT_NE(after, before);
  Gpt copy = model;  // weights of their own, without copies in any format
  EXPECT_EQ(tokens_of(copy, {1, 2}, options), after);
  Gpt other = opinionated(9);
  model.load_state_dict(other.state_dict());
  EXPECT_EQ(tokens_of(model, {1, 2}, options), before);
}

TEST(Generate, EndsWhenToldTo) {
  Gpt model = opinionated(9);
  int seen = 0;
  generate(model, std::vector<Token>{1}, {.max_tokens = 100}, [&](Token) { return ++seen < 5; });
  EXPECT_EQ(seen, 5);
}

TEST(Generate, ComputesInEvalModeAndLeavesTheModelInItsOwn) {
  Gpt model = opinionated(9, 1, 0.5);
  const GenerationOptions options{.max_tokens = 20};
  model.eval();
  const std::vector<Token> expected = tokens_of(model, {1}, options);
  EXPECT_FALSE(model.is_training());
  model.train();
  model.transformer.h[1].eval();  // frozen in eval mode
  EXPECT_EQ(tokens_of(model, {1}, options), expected);
  EXPECT_TRUE(model.is_training());
  EXPECT_TRUE(model.transformer.h[0].mlp.is_training());
  EXPECT_FALSE(model.transformer.h[1].is_training());
  EXPECT_FALSE(model.transformer.h[1].mlp.is_training());
  EXPECT_THROW(generate(model, std::vector<Token>{1}, options,
                        [](Token) -> bool { throw std::runtime_error("enough"); }),
               std::runtime_error);
  EXPECT_TRUE(model.transformer.h[0].is_training());
  EXPECT_FALSE(model.transformer.h[1].is_training());
}

TEST(Generate, SaysWhatIsWrong) {
  Gpt model = opinionated(9);
  EXPECT_EQ(error_of<ConfigError>([&] { tokens_of(model, {}, {}); }),
            "generate: the prompt is empty; expected a token or more");
  EXPECT_EQ(error_of<ConfigError>([&] { tokens_of(model, {1}, {.max_tokens = -1}); }),
            "generate: max_tokens is -1; expected 0 or more");
  EXPECT_THROW(tokens_of(model, {1}, {.sampling = {.top_p = 2}}), ConfigError);
  EXPECT_THROW(tokens_of(model, {9}, {}), IndexError);
  EXPECT_THROW(tokens_of(model, {-1}, {}), IndexError);
  model.transformer.ln_f.weight.set_data(full({16}, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(error_of<Error>([&] { tokens_of(model, {1}, {}); }),
            "sample: a logit is NaN; expected numbers");

  Gpt small = opinionated(3);
  const CharTokenizer letters = CharTokenizer::from_text("abcd");
  EXPECT_EQ(error_of<ConfigError>([&] { generate_text(small, letters, "a", {}); }),
            "generate: the tokenizer has 4 tokens; expected at most the model's vocab_size, 3");
  const CharTokenizer three = CharTokenizer::from_text("abc");
  EXPECT_TRUE(contains(error_of<IoError>([&] { generate_text(small, three, "ax", {}); }),
                       "prompt: the character 'x'"));
  EXPECT_THROW(generate_text(small, three, "", {}), ConfigError);
  EXPECT_TRUE(contains(error_of<ConfigError>([&] {
                         generate_text(small, three, "a", {.stop = {"b", ""}});
                       }),
                       "a stop string is empty"));
}

// --- text ---

// Where a text ends that is cut before the first stop string to be complete (of several that are
// complete at once, the one that begins first).
std::string cut_at_stop(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t begin = std::string::npos;
    for (const std::string& stop : stops) {
      if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0) {
        begin = std::min(begin, end - stop.size());
      }
    }
    if (begin != std::string::npos) return text.substr(0, begin);
  }
  return text;
}

TEST(GenerateText, EndsBeforeTheFirstStopString) {
  // Few characters, one of two bytes: stop strings overlap, and begin again within themselves.
  const CharTokenizer tokenizer = CharTokenizer::from_text("abé");
  Gpt model = opinionated(3);
  Generator random(5);
  int cut = 0;
  for (uint64_t seed = 0; seed < (one_sample() ? 40U : 300U); ++seed) {
    GenerationOptions options{.max_tokens = 25, .sampling = {.temperature = 5}, .seed = seed};
    const std::string whole = generate_text(model, tokenizer, "ab", options);
    ASSERT_EQ(tokenizer.encode(whole).size(), 25U);
    for (uint64_t i = random.next_below(3) + 1; i > 0; --i) {
      std::vector<Token> stop(random.next_below(4) + 2);
      for (Token& token : stop) token = static_cast<Token>(random.next_below(3));
      options.stop.push_back(tokenizer.decode(stop));
    }
    std::string shown;
    const std::string text =
        generate_text(model, tokenizer, "ab", options, [&](std::string_view piece) {
          EXPECT_FALSE(piece.empty());
          shown += piece;
        });
    EXPECT_EQ(text, cut_at_stop(whole, options.stop)) << seed;
    EXPECT_EQ(shown, text) << seed;
    cut += text != whole ? 1 : 0;
  }
  EXPECT_GT(cut, one_sample() ? 10 : 100);
}

TEST(GenerateText, ShowsTextAsSoonAsItIsCertain) {
  const CharTokenizer tokenizer = CharTokenizer::from_text("abé");
  Gpt model = opinionated(3);
  GenerationOptions options{.max_tokens = 30, .sampling = {.temperature = 5}, .seed = 1};
  std::vector<std::string> pieces;
  const auto keep = [&](std::string_view piece) { pieces.emplace_back(piece); };
  const std::string whole = generate_text(model, tokenizer, "a", options, keep);
  EXPECT_EQ(pieces.size(), 30U);  // a character each
  pieces.clear();
  // It never comes, for it is longer; but each of its beginnings is held back.
  options.stop = {whole + "a"};
  EXPECT_EQ(generate_text(model, tokenizer, "a", options, keep), whole);
  EXPECT_EQ(pieces, std::vector<std::string>{whole});
}

}  // namespace
}  // namespace adjoint::models
