// Llama, BERT, Seq2Seq, Rnn: against PyTorch (tests/golden/text_models.py), and their own promises.
#include <adjoint/core/activations.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/data/word_tokenizer.h>
#include <adjoint/data/wordpiece.h>
#include <adjoint/models/bert_task.h>
#include <adjoint/models/generation.h>
#include <adjoint/models/llama.h>
#include <adjoint/models/rnn.h>
#include <adjoint/models/seq2seq_task.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tests/models/model_bits.h"
#include "tests/temporary_folder.h"

namespace adjoint::models {
namespace {

using data::Token;

double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a.detach().to(DType::f64) - b.to(DType::f64))).item();
}

// --- PyTorch ---

const std::map<std::string, Tensor>& golden() {
  static const auto all =
      load_safetensors(ADJOINT_SOURCE_DIR "/tests/golden/text_models.safetensors");
  return all;
}

Tensor input(const std::string& model, const std::string& name) {
  return golden().at(model + "/in/" + name);
}

void load_golden(const std::string& name, nn::ModuleBase& model) {
  model.to(DType::f64);
  std::map<std::string, Tensor> weights;
  const std::string prefix = name + "/weight/";
  for (const auto& [key, value] : golden()) {
    if (key.starts_with(prefix)) weights[key.substr(prefix.size())] = value;
  }
  model.load_state_dict(weights);
}

// In f64 both sides round a few hundred times.
constexpr double kRounding = 1e-11;

void expect_golden(const std::string& name, const nn::ModuleBase& model, const Tensor& logits,
                   const Tensor& loss) {
  EXPECT_LT(largest_difference(logits, golden().at(name + "/logits")), kRounding);
  EXPECT_NEAR(loss.item(), golden().at(name + "/loss").item(), kRounding);
  loss.backward();
  size_t count = 0;
  for (const auto& [key, value] : golden()) count += key.starts_with(name + "/grad/") ? 1 : 0;
  const std::vector<NamedSlot> parameters = model.parameters();
  EXPECT_EQ(parameters.size(), count);
  for (const NamedSlot& parameter : parameters) {
    const Tensor& expected = golden().at(name + "/grad/" + parameter.name);
    ASSERT_TRUE(parameter.slot->grad().defined()) << parameter.name;
    ASSERT_EQ(parameter.slot->grad().shape(), expected.shape()) << parameter.name;
    EXPECT_LT(largest_difference(parameter.slot->grad(), expected), kRounding) << parameter.name;
  }
}

LlamaConfig small_llama() {
  return {.vocab_size = 13,
          .max_position_embeddings = 7,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .hidden_size = 8,
          .intermediate_size = 12,
          .rope_theta = 100};
}

BertConfig small_bert(std::vector<std::string> labels = {}) {
  return {.vocab_size = 13,
          .max_position_embeddings = 7,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .hidden_size = 8,
          .intermediate_size = 12,
          .hidden_dropout_prob = 0,
          .attention_probs_dropout_prob = 0,
          .labels = std::move(labels)};
}

Seq2SeqConfig small_seq2seq() {
  return {.vocab_size = 13,
          .max_length = 7,
          .d_model = 8,
          .nhead = 4,
          .num_encoder_layers = 2,
          .num_decoder_layers = 2,
          .dim_feedforward = 12};
}

RnnConfig small_rnn(const std::string& cell) {
  return {.vocab_size = 13, .cell = cell, .n_embd = 5, .hidden_size = 8, .num_layers = 2};
}

TEST(TextModelGolden, Rnn) {
  for (const std::string cell : {"lstm", "gru"}) {
    SCOPED_TRACE(cell);
    Rnn model(small_rnn(cell));
    load_golden(cell, model);
    const Tensor ids = input(cell, "ids");
    expect_golden(cell, model, model(ids), model.loss(ids, input(cell, "targets")));
  }
}

TEST(TextModelGolden, Llama) {
  LlamaConfig config = small_llama();
  config.tie_word_embeddings = false;
  Llama model(config);
  load_golden("llama", model);
  const Tensor ids = input("llama", "ids");
  expect_golden("llama", model, model(ids), model.loss(ids, input("llama", "targets")));
}

TEST(TextModelGolden, BertForMaskedLM) {
  BertForMaskedLM model(small_bert());
  load_golden("bert", model);
  const Tensor ids = input("bert", "ids");
  const BertForwardOptions options = {.padding = input("bert", "padding"),
                                      .token_types = input("bert", "token_types")};
  const Tensor loss =
      model.loss(ids, input("bert", "positions"), input("bert", "targets"), options);
  expect_golden("bert", model, model(ids, options), loss);
}

TEST(TextModelGolden, BertForSequenceClassification) {
  BertForSequenceClassification model(small_bert({"a", "b", "c"}));
  load_golden("classes", model);
  const Tensor logits = model(
      input("classes", "ids"),
      {.padding = input("classes", "padding"), .token_types = input("classes", "token_types")});
  expect_golden("classes", model, logits, cross_entropy(logits, input("classes", "targets")));
}

TEST(TextModelGolden, Seq2Seq) {
  Seq2Seq model(small_seq2seq());
  load_golden("seq2seq", model);
  const Tensor source = input("seq2seq", "source"), padding = input("seq2seq", "padding"),
               target = input("seq2seq", "target");
  expect_golden("seq2seq", model, model(source, padding, target),
                model.loss(source, padding, target, input("seq2seq", "following"), 0));
}

// --- what every model keeps ---

template <class Model, class Config>
void expect_promises(const Config& config, const std::vector<std::string>& ties) {
  Generator generator(5), same(5);
  Model model(config, generator), twin(config, same);
  EXPECT_EQ(bits_of(model), bits_of(twin));
  nn::check_members(model);
  EXPECT_EQ(model.parameter_count(), config.parameter_count());
  EXPECT_EQ(Config::from_json(config.to_json()), config);
  // A copy is one of its own, with ties of its own.
  Model copy = model;  // NOLINT(performance-unnecessary-copy-initialization): its slots are written
  const NoGrad no_grad;
  for (const NamedSlot& parameter : copy.parameters()) fill_(parameter.slot->stored(), 7);
  EXPECT_EQ(bits_of(model), bits_of(twin));
  const std::map<std::string, std::string> aliases = copy.state_dict().aliases;
  EXPECT_EQ(aliases.size(), ties.size());
  for (const std::string& name : ties) EXPECT_EQ(aliases.count(name), 1U) << name;
  Json unknown = config.to_json();
  unknown["vocab_sice"] = 3;
  EXPECT_TRUE(contains(error_of<ConfigError>([&] { Config::from_json(unknown); }),
                       "did you mean \"vocab_size\"?"));
  Config bad = config;
  bad.vocab_size = 0;
  EXPECT_TRUE(contains(error_of<ConfigError>([&] { bad.validate(); }), "vocab_size is 0"));
}

TEST(TextModels, KeepTheirPromises) {
  expect_promises<Llama>(small_llama(), {"lm_head.weight"});
  expect_promises<BertForMaskedLM>(
      small_bert(), {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"});
  expect_promises<BertForSequenceClassification>(small_bert({"a", "b"}), {});
  expect_promises<Seq2Seq>(small_seq2seq(), {"output.weight"});
  expect_promises<Rnn>(small_rnn("lstm"), {});
  expect_promises<Rnn>(small_rnn("gru"), {});
}

TEST(TextModels, ConfigurationsNameWhatIsWrong) {
  LlamaConfig llama = small_llama();
  llama.num_key_value_heads = 3;
  EXPECT_TRUE(contains(error_of<ConfigError>([&] { Llama{llama}; }), "num_key_value_heads is 3"));
  EXPECT_TRUE(contains(error_of<ConfigError>([] { BertForSequenceClassification{small_bert()}; }),
                       "labels has none"));
  EXPECT_TRUE(contains(error_of<ConfigError>([] { small_bert({"a"}).validate(); }), "labels"));
  Seq2SeqConfig seq2seq = small_seq2seq();
  seq2seq.nhead = 3;
  EXPECT_TRUE(contains(error_of<ConfigError>([&] { Seq2Seq{seq2seq}; }), "nhead, which is 3"));
  EXPECT_TRUE(contains(error_of<ConfigError>([] { Rnn{small_rnn("elman")}; }),
                       "cell is \"elman\"; expected \"lstm\" or \"gru\""));
  EXPECT_EQ(LlamaConfig::default_intermediate_size(128), 352);  // 341 1/3
}

// --- Llama ---

TEST(Llama, CachedLogitsAreThoseOfForward) {
  Llama model(small_llama());
  model.to(DType::f64);
  model.eval();
  const Tensor ids = from_vector(std::vector<int64_t>{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8}, {2, 6});
  const NoGrad no_grad;
  const Tensor all = model(ids);
  KvCache cache = model.make_cache(2);
  EXPECT_EQ(cache.layers[0].keys.shape(), (Shape{2, 2, 7, 2}));
  for (const auto& [begin, end] :
       std::vector<std::pair<int64_t, int64_t>>{{0, 3}, {3, 4}, {4, 6}}) {
    const Tensor logits = model.next_logits(slice(ids, 1, begin, end), cache);
    EXPECT_LT(largest_difference(logits, select(all, 1, end - 1)), kRounding) << end;
  }
  EXPECT_EQ(cache.length, 6);
  EXPECT_THROW(model.next_logits(slice(ids, 1, 0, 2), cache), ShapeError);
  EXPECT_LT(largest_difference(model.next_logits(ids), select(all, 1, 5)), kRounding);
}

TEST(Llama, SavesLoadsAndGeneratesAsALanguageModel) {
  const TemporaryFolder folder;
  Llama model(small_llama());
  model.save(folder.path("model"));
  const auto loaded = load_language_model(folder.path("model"));
  EXPECT_EQ(bits_of(loaded->module()), bits_of(model));
  EXPECT_EQ(loaded->config_json(), model.config().to_json());
  const std::vector<Token> prompt = {1, 2, 3};
  const auto text = [&](bool use_cache) {
    std::vector<Token> tokens;
    generate(*loaded, prompt, {.max_tokens = 12, .seed = 4, .use_cache = use_cache},
             [&](Token token) {
               tokens.push_back(token);
               return true;
             });
    return tokens;
  };
  EXPECT_EQ(text(true).size(), 12U);  // beyond the context
  EXPECT_EQ(text(true), text(false));
  const auto error = error_of<ConfigError>([&] { Gpt::load(folder.path("model")); });
  EXPECT_TRUE(contains(error, "model_type is \"llama\"")) << error;
}

// --- Rnn ---

// What is kept of a text is as good as the text, of any length; and it generates what it is given.
TEST(Rnn, GoesOnAndGeneratesAsALanguageModel) {
  for (const std::string cell : {"lstm", "gru"}) {
    SCOPED_TRACE(cell);
    const TemporaryFolder folder;
    Rnn model(small_rnn(cell));
    const Tensor ids = from_vector(std::vector<int64_t>{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, {2, 5});
    {
      const NoGrad no_grad;
      const Tensor all = model(ids);
      KvCache cache = model.make_cache(2);
      for (const auto& [begin, end] :
           std::vector<std::pair<int64_t, int64_t>>{{0, 2}, {2, 3}, {3, 5}}) {
        const Tensor logits = model.next_logits(slice(ids, 1, begin, end), cache);
        EXPECT_LT(largest_difference(logits, select(all, 1, end - 1)), 1e-6) << end;
      }
      EXPECT_EQ(cache.length, 5);
    }
    model.save(folder.path("model"));
    const auto loaded = load_language_model(folder.path("model"));
    EXPECT_EQ(bits_of(loaded->module()), bits_of(model));
    const std::vector<Token> prompt = {1, 2, 3};
    const auto text = [&](bool use_cache) {
      std::vector<Token> tokens;
      generate(*loaded, prompt, {.max_tokens = 12, .seed = 4, .use_cache = use_cache},
               [&](Token token) {
                 tokens.push_back(token);
                 return true;
               });
      return tokens;
    };
    EXPECT_EQ(text(true).size(), 12U);
    EXPECT_EQ(text(true), text(false));
  }
}

// --- BERT ---

data::WordTokenizer some_words() {
  const std::vector<std::string> texts = {"a b c d e f g h"};
  return data::WordTokenizer::from_texts(texts,
                                         {.min_frequency = 1});  // 13 with the special tokens
}

TEST(MaskTokens, FollowsTheRule) {
  const data::WordTokenizer tokenizer = some_words();
  // Rows of ordinary tokens between a beginning and an end.
  constexpr int64_t kRows = 400, kWidth = 52;
  std::vector<int64_t> ids(kRows * kWidth);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = 5 + static_cast<int64_t>(i % 8);
  for (size_t row = 0; row < kRows; ++row) {
    ids[row * kWidth] = 2;
    ids[row * kWidth + kWidth - 1] = 3;
  }
  Generator generator(9);
  const MaskedBatch batch =
      mask_tokens(from_vector(ids, {kRows, kWidth}), tokenizer, {}, generator);
  const auto read = batch.ids.to_vector<int64_t>(),
             positions = batch.positions.to_vector<int64_t>(),
             targets = batch.targets.to_vector<int64_t>();
  ASSERT_EQ(positions.size(), targets.size());
  std::vector<bool> chosen(ids.size());
  double masked = 0, other = 0, same = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto at = static_cast<size_t>(positions[i]);
    EXPECT_FALSE(chosen[at]);
    chosen[at] = true;
    EXPECT_EQ(targets[i], ids[at]);
    EXPECT_GE(targets[i], 5);
    (read[at] == 4 ? masked : read[at] == ids[at] ? same : other) += 1;
    EXPECT_GE(read[at], 4);
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(chosen[i] || read[i] == ids[i]) << i;
  }
  // Binomial shares: five standard deviations. A random token is the same one once in 8.
  const double candidates = 400 * 50, count = static_cast<double>(positions.size());
  EXPECT_NEAR(count, 0.15 * candidates, 5 * std::sqrt(candidates * 0.15 * 0.85));
  const auto expect_share = [&](double found, double share) {
    EXPECT_NEAR(found, share * count, 5 * std::sqrt(count * share * (1 - share))) << share;
  };
  expect_share(masked, 0.8);
  expect_share(other, 0.1 * 7 / 8);
  expect_share(same, 0.1 + 0.1 / 8);

  // Of two tokens one is chosen even where chance would choose none; of none, none.
  const Tensor two = from_vector(std::vector<int64_t>{2, 6, 7, 3}, {1, 4});
  EXPECT_EQ(mask_tokens(two, tokenizer, {.chosen = 0}, generator).targets.numel(), 1);
  const Tensor frame = from_vector(std::vector<int64_t>{2, 3}, {1, 2});
  EXPECT_EQ(mask_tokens(frame, tokenizer, {}, generator).targets.numel(), 0);
  EXPECT_THROW(mask_tokens(two, tokenizer, {.masked = 0.9, .random = 0.2}, generator), ConfigError);
}

TEST(FramedTokens, AreFramedOnceByWhateverTokenizer) {
  const std::vector<std::string> texts = {"a b a b"};
  const auto wordpiece = data::train_wordpiece(texts, {.vocab_size = 20});
  wordpiece->set_padding(data::Padding{.length = 9});
  const data::WordTokenizer words = some_words();
  const data::Tokenizer* const both[] = {wordpiece.get(), &words};
  for (const data::Tokenizer* tokenizer : both) {
    const Token a = tokenizer->token_to_id("a").value(), b = tokenizer->token_to_id("b").value();
    EXPECT_EQ(framed_tokens(*tokenizer, "a b a", 6), (std::vector<Token>{2, a, b, a, 3}));
    EXPECT_EQ(framed_tokens(*tokenizer, "a b a", 4), (std::vector<Token>{2, a, b, 3}));
    const auto pairs = encode_pairs({{"a b", "b"}}, *tokenizer, 2);
    EXPECT_EQ(pairs.at(0).source, (std::vector<Token>{a, b}));
    EXPECT_EQ(pairs.at(0).target, std::vector<Token>{b});
  }
}

TEST(MaskedLanguageTask, MasksAnewInStepsAndTheSameInValidation) {
  const data::WordTokenizer tokenizer = some_words();
  BertForMaskedLM model(small_bert());
  std::vector<Token> tokens(60);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<Token>(5 + i * i % 8);
  MaskedLanguageTask task(model, tokenizer, tokens, tokens, {.batch_size = 3, .seq_len = 7});
  const auto loss = [&](int64_t step, uint64_t offset) {
    default_generator().set_state(1, offset);
    return task.loss(step).item();
  };
  EXPECT_EQ(loss(1, 50), loss(1, 50));
  EXPECT_NE(loss(1, 50), loss(1, 5000));
  const NoGrad no_grad;
  const auto first = task.validate({}), second = task.validate({});
  EXPECT_EQ(first->loss, second->loss);
  ASSERT_EQ(first->metrics.size(), 1U);
  EXPECT_EQ(first->metrics[0].name, "val_masked_accuracy");
  EXPECT_EQ(task.validate([] { return true; }), std::nullopt);
}

TEST(Bert, AClassifierTakesAnEncoder) {
  BertForMaskedLM pretrained(small_bert());
  BertForSequenceClassification model(small_bert({"no", "yes"}));
  const Bits before = bits_of(model);
  model.load_encoder(pretrained);
  const Bits from = bits_of(pretrained), after = bits_of(model);
  for (const auto& [name, bits] : after) {
    const bool encoder = name.starts_with("bert.encoder.") || name.starts_with("bert.embeddings.");
    EXPECT_EQ(bits, encoder ? from.at(name) : before.at(name)) << name;
  }
  // What is behind the padding is not seen.
  const NoGrad no_grad;
  model.eval();
  const Tensor padding = from_vector(std::vector<int64_t>{0, 0, 1}, {1, 3}).to(DType::boolean);
  const Tensor a = from_vector(std::vector<int64_t>{2, 6, 7}, {1, 3});
  const Tensor b = from_vector(std::vector<int64_t>{2, 6, 9}, {1, 3});
  EXPECT_EQ(bits_of(model(a, {.padding = padding})), bits_of(model(b, {.padding = padding})));
  EXPECT_NE(bits_of(model(a)), bits_of(model(b)));
  EXPECT_THROW(model(from_vector(std::vector<int64_t>(8), {1, 8})), ShapeError);
}

// --- searches ---

constexpr Token kEnd = 2;

// log p(token | text so far), made of sines; three tokens.
std::vector<double> toy_row(const std::vector<Token>& text) {
  std::vector<double> row(3);
  double seed = 1 + static_cast<double>(text.size());
  for (const Token token : text) seed = seed * 1.7 + token;
  for (size_t i = 0; i < 3; ++i) row[i] = 2 * std::sin(seed * static_cast<double>(i + 1));
  const double total = std::exp(row[0]) + std::exp(row[1]) + std::exp(row[2]);
  for (double& x : row) x -= std::log(total);
  return row;
}

// The toy as a model that keeps its texts, as one with a cache would.
NextLogProbabilities toy_model() {
  return [texts = std::vector<std::vector<Token>>()](std::span<const int64_t> parents,
                                                     std::span<const Token> last) mutable {
    if (last.empty()) {
      texts = {{}};
    } else {
      std::vector<std::vector<Token>> next;
      for (size_t i = 0; i < last.size(); ++i) {
        next.push_back(texts[static_cast<size_t>(parents[i])]);
        next.back().push_back(last[i]);
      }
      texts = std::move(next);
    }
    std::vector<std::vector<double>> rows;
    rows.reserve(texts.size());
    for (const auto& text : texts) rows.push_back(toy_row(text));
    return rows;
  };
}

// Every text of at most `longest` tokens.
void every_text(const std::vector<Token>& text, double sum, size_t longest, double penalty,
                std::vector<Hypothesis>& all) {
  const std::vector<double> row = toy_row(text);
  for (Token token = 0; token < 3; ++token) {
    Hypothesis h{.tokens = text, .log_probability = sum + row[static_cast<size_t>(token)]};
    h.score =
        h.log_probability / std::pow((5.0 + static_cast<double>(text.size() + 1)) / 6.0, penalty);
    h.ended = token == kEnd;
    if (!h.ended) h.tokens.push_back(token);
    if (h.ended || h.tokens.size() == longest) {
      all.push_back(h);
    } else {
      every_text(h.tokens, h.log_probability, longest, penalty, all);
    }
  }
}

TEST(BeamSearch, WideEnoughIsExhaustive) {
  for (const double penalty : {0.0, 0.6, 2.0}) {
    std::vector<Hypothesis> all;
    every_text({}, 0, 5, penalty, all);
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.score > b.score; });
    const auto found = beam_search(
        toy_model(), {.beam_size = 64, .max_length = 5, .length_penalty = penalty, .end = kEnd});
    ASSERT_EQ(all.size(), 63U);  // 31 that end, 32 that are cut
    ASSERT_EQ(found.size(), 63U);
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].tokens, all[i].tokens) << penalty << " " << i;
      EXPECT_EQ(found[i].ended, all[i].ended);
      EXPECT_NEAR(found[i].score, all[i].score, 1e-12);
      EXPECT_NEAR(found[i].log_probability, all[i].log_probability, 1e-12);
    }
  }
}

TEST(BeamSearch, NarrowOnesFindSomeOfThem) {
  for (const int64_t width : {1, 2, 4, 16}) {
    const auto found = beam_search(
        toy_model(), {.beam_size = width, .max_length = 5, .length_penalty = 0.6, .end = kEnd});
    ASSERT_LE(found.size(), static_cast<size_t>(width));
    ASSERT_FALSE(found.empty());
    for (const Hypothesis& h : found) {
      double sum = 0;
      for (size_t i = 0; i < h.tokens.size(); ++i) {
        sum += toy_row(
            {h.tokens.begin(),
             h.tokens.begin() + static_cast<std::ptrdiff_t>(i)})[static_cast<size_t>(h.tokens[i])];
      }
      if (h.ended) sum += toy_row(h.tokens)[kEnd];
      EXPECT_NEAR(h.log_probability, sum, 1e-12);
    }
  }
  EXPECT_THROW(beam_search(toy_model(), {.beam_size = 0}), ConfigError);
  EXPECT_THROW(beam_search(toy_model(), {.length_penalty = -1}), ConfigError);
}

TEST(Seq2Seq, TokenByTokenIsForward) {
  Seq2Seq model(small_seq2seq());
  model.to(DType::f64);
  model.eval();
  const NoGrad no_grad;
  const Tensor source = from_vector(std::vector<int64_t>{5, 6, 7, 8, 9, 0}, {2, 3});
  const Tensor padding =
      from_vector(std::vector<int64_t>{0, 0, 0, 0, 0, 1}, {2, 3}).to(DType::boolean);
  const Tensor target = from_vector(std::vector<int64_t>{2, 5, 7, 9, 2, 6, 8, 10}, {2, 4});
  const Tensor all = model(source, padding, target);
  Seq2Seq::Decoding decoding = model.start(source, padding);
  for (int64_t i = 0; i < 2; ++i) {
    const Tensor logits = model.next_logits(select(target, 1, i), decoding);
    EXPECT_LT(largest_difference(logits, select(all, 1, i)), kRounding) << i;
  }
  // Rows may change places.
  const Tensor turned = from_vector(std::vector<int64_t>{1, 0}, {2});
  Seq2Seq::reorder(decoding, turned);
  for (int64_t i = 2; i < 4; ++i) {
    const Tensor logits =
        model.next_logits(index_select(select(target, 1, i), 0, turned), decoding);
    EXPECT_LT(largest_difference(logits, index_select(select(all, 1, i), 0, turned)), kRounding);
  }
}

TEST(Seq2Seq, SearchesAgreeWithTheModel) {
  Seq2Seq model(small_seq2seq());
  // Weights that have opinions.
  Generator generator(3);
  const NoGrad no_grad;
  for (const NamedSlot& p : model.parameters()) normal_(p.slot->stored(), 0, 0.7, generator);
  model.eval();
  const Frame frame;
  const std::vector<std::vector<Token>> sources = {{5, 6, 7, 3}, {8, 3}, {9, 9, 3}};
  const auto greedy = greedy_search(model, sources, frame);
  ASSERT_EQ(greedy.size(), 3U);
  for (size_t i = 0; i < sources.size(); ++i) {
    // By itself, each is the argmax of forward after what was there.
    std::vector<int64_t> target = {frame.begin};
    std::vector<Token> expected;
    const std::vector<int64_t> source(sources[i].begin(), sources[i].end());
    while (target.size() < 7) {
      const auto count = static_cast<int64_t>(target.size());
      const Tensor logits = model(from_vector(source, {1, static_cast<int64_t>(source.size())}),
                                  Tensor(), from_vector(target, {1, count}));
      const auto best =
          static_cast<Token>(argmax(select(select(logits, 0, 0), 0, count - 1), 0).item());
      if (best == frame.end) break;
      expected.push_back(best);
      target.push_back(best);
    }
    EXPECT_EQ(greedy[i], expected) << i;
    // What the beam finds has the probability that forward gives it.
    const auto found = beam_search(model, sources[i], frame, {.beam_size = 5, .max_length = 6});
    ASSERT_EQ(found.size(), 5U);
    for (const Hypothesis& h : found) {
      std::vector<int64_t> read = {frame.begin};
      for (const Token token : h.tokens) read.push_back(token);
      const Tensor logits =
          model(from_vector(source, {1, static_cast<int64_t>(source.size())}), Tensor(),
                from_vector(read, {1, static_cast<int64_t>(read.size())}));
      const auto rows = log_softmax(logits.to(DType::f64), 2).to_vector<double>();
      double sum = h.ended ? rows[(read.size() - 1) * 13 + 3] : 0;
      for (size_t t = 0; t < h.tokens.size(); ++t) {
        sum += rows[t * 13 + static_cast<size_t>(h.tokens[t])];
      }
      EXPECT_NEAR(h.log_probability, sum, 1e-4);  // f32
    }
  }
}

}  // namespace
}  // namespace adjoint::models
