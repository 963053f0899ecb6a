#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/data/char_tokenizer.h>
#include <adjoint/models/gpt_task.h>
#include <adjoint/optim/adam.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/models/model_bits.h"

namespace adjoint::models {
namespace {

using data::Token;

std::vector<Token> some_tokens(int count) {
  std::vector<Token> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back(static_cast<Token>((i * i + i / 3) % 11));
  return tokens;
}

TEST(MeanLoss, IsTheMeanOverEveryTokenButTheFirst) {
  Gpt model = make_gpt(small_config());
  model.to(DType::f64);
  for (const int count : {2, 3, 8, 9, 10, 1000, 4600}) {
    const std::vector<Token> tokens = some_tokens(count);
    for (const int64_t seq_len : {1, 5, 8}) {
      if (count > 1000 && seq_len != 8) continue;
      // Window by window, each a text of its own.
      double sum = 0;
      for (int64_t at = 0; at + 1 < count; at += seq_len) {
        const int64_t length = std::min<int64_t>(seq_len, count - 1 - at);
        std::vector<int64_t> in, out;
        for (int64_t i = at; i < at + length; ++i) {
          in.push_back(tokens[static_cast<size_t>(i)]);
          out.push_back(tokens[static_cast<size_t>(i) + 1]);
        }
        const NoGrad no_grad;
        sum += model.loss(from_vector(in, {1, length}), from_vector(out, {1, length})).item() *
               static_cast<double>(length);
      }
      // Means of means in f64: a few thousand roundings.
      EXPECT_NEAR(mean_loss(model, tokens, seq_len).value(), sum / (count - 1), 1e-11)
          << count << " " << seq_len;
    }
  }
}

TEST(MeanLoss, IsNotRecordedAndCanBeStopped) {
  const Gpt model = make_gpt(small_config());
  const std::vector<Token> tokens = some_tokens(9000);
  const int64_t nodes = live_nodes();
  int asked = 0;
  EXPECT_TRUE(mean_loss(model, tokens, 8, [&] {
    EXPECT_EQ(live_nodes(), nodes);
    ++asked;
    return false;
  }));
  EXPECT_GT(asked, 2);
  for (int last = 1; last <= asked; ++last) {
    int calls = 0;
    EXPECT_EQ(mean_loss(model, tokens, 8, [&] { return ++calls == last; }), std::nullopt);
    EXPECT_EQ(calls, last);
  }
}

TEST(MeanLoss, SaysWhatIsWrong) {
  const Gpt model = make_gpt(small_config());
  const std::vector<Token> tokens = some_tokens(20);
  EXPECT_EQ(error_of<ConfigError>([&] { mean_loss(model, tokens, 0); }),
            "mean_loss: seq_len is 0; expected at least 1");
  EXPECT_THROW(mean_loss(model, tokens, -8), ConfigError);
  EXPECT_THROW(mean_loss(model, tokens, 9), ShapeError);
  EXPECT_THROW(mean_loss(model, some_tokens(1), 8), ConfigError);
}

TEST(GptTask, TheLossIsAFunctionOfStepAndGenerator) {
  GptConfig config = small_config();
  config.dropout = 0.3;
  Gpt model = make_gpt(config);
  const auto tokenizer = data::CharTokenizer::from_text("abcdefghijk");
  GptTask task(model, tokenizer, some_tokens(100), some_tokens(30),
               {.batch_size = 3, .seq_len = 7});
  EXPECT_EQ(task.units_per_step(), 21);
  const auto loss = [&](int64_t step, uint64_t offset) {
    default_generator().set_state(1, offset);
    return task.loss(step).item();
  };
  const double first = loss(4, 9);
  EXPECT_NE(loss(5, 9), first);
  EXPECT_NE(loss(4, 99), first);
  EXPECT_EQ(loss(4, 9), first);
  EXPECT_TRUE(task.loss(4).requires_grad());
}

TEST(GptTask, SaysWhatIsWrong) {
  Gpt model = make_gpt(small_config());
  const auto tokenizer = data::CharTokenizer::from_text("abcdefghijk");
  const auto error = [&](int train, int validation, const GptTaskOptions& options) {
    return error_of<ConfigError>(
        [&] { GptTask(model, tokenizer, some_tokens(train), some_tokens(validation), options); });
  };
  EXPECT_EQ(error(20, 20, {.seq_len = 8}), "");
  EXPECT_EQ(error(20, 20, {.seq_len = 9}),
            "GptTask: seq_len is 9; expected at most the model's block_size, 8");
  EXPECT_TRUE(contains(error(8, 20, {.seq_len = 8}), "a context of 8 tokens is longer than"));
  EXPECT_EQ(error(20, 1, {.seq_len = 8}),
            "GptTask: the validation text has 1 tokens; expected at least 2");
  EXPECT_NE(error(20, 20, {.batch_size = 0, .seq_len = 8}), "");
  EXPECT_NE(error(20, 20, {.seq_len = 0}), "");
}

TEST(GptOptimizer, DecaysMatricesAlone) {
  const Gpt model = make_gpt(small_config());
  optim::AdamW optimizer =
      make_gpt_optimizer(model, {.lr = 0.01, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.2});
  ASSERT_EQ(optimizer.group_count(), 2U);
  EXPECT_EQ(optimizer.options(0).weight_decay, 0.2);
  EXPECT_EQ(optimizer.options(1).weight_decay, 0);
  for (size_t group = 0; group < 2; ++group) {
    EXPECT_EQ(optimizer.lr(group), 0.01);
    EXPECT_EQ(optimizer.options(group).betas, (std::array<double, 2>{0.8, 0.95}));
    EXPECT_EQ(optimizer.options(group).eps, 1e-8);
  }
  std::set<std::string> all;
  for (const NamedSlot& slot : optimizer.slots()) all.insert(slot.name);
  EXPECT_EQ(all.size(), model.parameters().size());
  // Without gradients to speak of, a step moves what decays.
  const Bits before = bits_of(model);
  for (const NamedSlot& slot : model.parameters()) slot.slot->set_grad(zeros(slot.slot->shape()));
  optimizer.step();
  for (const auto& [name, value] : model.state_dict().tensors) {
    EXPECT_EQ(bits_of(value) != before.at(name), value.dim() == 2) << name;
  }
}

}  // namespace
}  // namespace adjoint::models
