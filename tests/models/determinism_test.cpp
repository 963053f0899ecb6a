// The promise of DESIGN: the same seed gives the same bits, whatever the number of threads.
#include <adjoint/core/autograd.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/clip.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/models/model_bits.h"

namespace adjoint::models {
namespace {

struct Trained {
  Bits model, optimizer;
  std::string losses;
};

// Steps of the workload gpt_char: 12 sequences of 64 characters, with dropout besides.
Trained train_gpt_char(int threads, int steps) {
  set_num_threads(threads);
  manual_seed(1337);
  const Gpt model({.vocab_size = 65, .block_size = 64, .dropout = 0.1});
  optim::AdamW optimizer(model.parameters(), {.lr = 1e-3, .weight_decay = 0.1});
  const Tensor ids = randint(0, 65, {12, 64}), targets = randint(0, 65, {12, 64});
  Trained trained;
  for (int step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    const Tensor loss = model.loss(ids, targets);
    loss.backward();
    optim::clip_grad_norm_(optimizer, 1.0);
    optimizer.step();
    trained.losses += bits_of(loss);
  }
  trained.model = bits_of(model);
  trained.optimizer = bits_of(optimizer);
  return trained;
}

TEST(Determinism, FiftyStepsOfGptCharForAnyNumberOfThreads) {
  const ThreadsRestored restored;
  const int steps = one_sample() ? 3 : 50;
  const Trained alone = train_gpt_char(1, steps);
  // One step less leaves other bits: what is compared below can differ.
  EXPECT_NE(differing(alone.model, train_gpt_char(1, steps - 1).model), "");
  for (const int threads : {2, 3, 4}) {
    const Trained together = train_gpt_char(threads, steps);
    EXPECT_EQ(together.losses, alone.losses) << threads << " threads";
    EXPECT_EQ(differing(together.model, alone.model), "") << threads << " threads";
    EXPECT_EQ(differing(together.optimizer, alone.optimizer), "") << threads << " threads";
  }
}

}  // namespace
}  // namespace adjoint::models
