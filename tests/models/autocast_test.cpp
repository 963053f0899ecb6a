// Training under autocast: bf16 products, weights and their gradients in f32.
#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/optim/adam.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/models/model_bits.h"

namespace adjoint::models {
namespace {

struct Trained {
  std::vector<double> losses;
  Bits model;
};

// A text that repeats, so that there is something to learn.
Trained train(bool bf16, int steps, int threads = 2, bool copies = true) {
  const ThreadsRestored restored;
  set_num_threads(threads);
  manual_seed(3);
  const Gpt model({.vocab_size = 16, .block_size = 32, .n_layer = 2, .n_head = 2, .n_embd = 32});
  optim::AdamW optimizer(model.parameters(), {.lr = 3e-3, .weight_decay = 0.1});
  std::vector<int64_t> text;
  for (int64_t i = 0; i < 4 * 33; ++i) text.push_back(i * i % 13);
  const Tensor rows = from_vector(text, {4, 33});
  const Tensor ids = slice(rows, 1, 0, 32), targets = slice(rows, 1, 1, 33);
  Trained trained;
  for (int step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    const Tensor loss = [&] {
      const Autocast guard(bf16);
      return model.loss(ids, targets);
    }();
    EXPECT_EQ(loss.dtype(), DType::f32);
    loss.backward();
    for (const NamedSlot& slot : model.parameters()) {
      EXPECT_EQ(slot.slot->stored().dtype(), DType::f32) << slot.name;
      EXPECT_EQ(slot.slot->stored().grad().dtype(), DType::f32) << slot.name;
    }
    optimizer.step();
    trained.losses.push_back(loss.item());
    for (const NamedSlot& slot : model.parameters()) {
      if (!copies) mul_(slot.slot->stored().detach(), 1.0);  // a write: the copy goes
    }
  }
  trained.model = bits_of(model);
  return trained;
}

// Each product is off by 2^-8 at most, and errors of many average out: the losses of both runs stay
// within 2^-8 of the first one at every step, while they fall to a third.
TEST(AutocastTraining, FollowsF32) {
  const int steps = 40;
  const Trained narrow = train(true, steps), wide = train(false, steps);
  EXPECT_NE(differing(narrow.model, wide.model), "");
  EXPECT_LT(narrow.losses.back(), narrow.losses.front() / 3);
  for (size_t i = 0; i < narrow.losses.size(); ++i) {
    EXPECT_NEAR(narrow.losses[i], wide.losses[i], 0x1p-8 * wide.losses[0]) << "step " << i;
  }
}

TEST(AutocastTraining, ThreadsDoNotChangeBits) {
  const Trained alone = train(true, 3, 1);
  for (const int threads : {2, 3}) {
    const Trained together = train(true, 3, threads);
    EXPECT_EQ(together.losses, alone.losses);
    EXPECT_EQ(differing(together.model, alone.model), "");
  }
}

// The copies in bf16 that steps leave of weights change no bit.
TEST(AutocastTraining, CopiesOfWeightsDoNotChangeBits) {
  const Trained without = train(true, 5, 1, false);
  for (const int threads : {1, 2, 3}) {
    const Trained with = train(true, 5, threads);
    EXPECT_EQ(with.losses, without.losses);
    EXPECT_EQ(differing(with.model, without.model), "");
  }
}

// Caches are of bf16, which is what keys and values are computed in: those of f32 give the same
// bits.
TEST(AutocastGeneration, CachesAreOfBf16) {
  const Gpt model = make_gpt(small_config());
  KvCache wide = model.make_cache();
  EXPECT_EQ(wide.layers[0].keys.dtype(), DType::f32);
  const Autocast guard(DType::bf16);
  KvCache narrow = model.make_cache();
  EXPECT_EQ(narrow.layers[0].keys.dtype(), DType::bf16);
  EXPECT_EQ(narrow.layers[0].values.dtype(), DType::bf16);
  for (const int64_t length : {3, 1, 1, 2}) {
    const Tensor ids = randint(0, 11, {1, length});
    EXPECT_EQ(bits_of(model.next_logits(ids, narrow)), bits_of(model.next_logits(ids, wide)));
  }
}

// A model whose weights themselves are of bf16 learns too, and is saved as it is.
TEST(AutocastTraining, WeightsOfBf16) {
  manual_seed(5);
  Gpt model(small_config());
  model.to(DType::bf16);
  optim::AdamW optimizer(model.parameters(), {.lr = 1e-2});
  const Tensor ids = randint(0, 11, {2, 8}), targets = randint(0, 11, {2, 8});
  std::vector<double> losses;
  for (int step = 0; step < 30; ++step) {
    optimizer.zero_grad();
    const Tensor loss = model.loss(ids, targets);
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item());
  }
  EXPECT_LT(losses.back(), losses.front() / 2);
  for (const auto& [name, value] : model.state_dict().tensors) {
    EXPECT_EQ(value.dtype(), DType::bf16) << name;
  }
}

}  // namespace
}  // namespace adjoint::models
