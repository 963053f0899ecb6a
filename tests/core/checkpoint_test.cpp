// Checkpoints: the same bits in less memory, whatever surrounds them.
#include <adjoint/core/activations.h>
#include <adjoint/core/autocast.h>
#include <adjoint/core/checkpoint.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/precision.h>
#include <adjoint/core/reductions.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using Tensors = std::vector<Tensor>;
using numeric::expect_same_bits;
using numeric::message_of;
using numeric::random;
using numeric::values;

// Two layers with dropout; the weights are captured, not inputs.
struct Block {
  Tensor w1, w2;
  explicit Block(uint64_t seed, DType dtype = DType::f32)
      : w1(random({16, 8}, seed, dtype).requires_grad_()),
        w2(random({8, 16}, seed + 1, dtype).requires_grad_()) {}
  Tensor operator()(const Tensor& x) const {
    const Tensor h = dropout(gelu(linear(layer_norm(x, {8}), w1)), 0.3);
    return x + tanh(linear(h, w2));
  }
};

struct Result {
  Tensor loss;
  Tensors gradients;
};

// Loss and gradients of three blocks, with or without checkpoints around each.
template <class Run>
Result result_of(const std::vector<Block>& blocks, const Tensor& input, const Run& run) {
  manual_seed(11);
  const Tensor x0 = input.detach().requires_grad_();
  Tensor x = x0;
  for (const Block& block : blocks) x = run(block, x);
  Result result{sum(square(x)), {}};
  (void)dropout(x);  // the generator moves on between forward and backward
  const uint64_t position = default_generator().offset();
  for (const Block& b : blocks) {
    b.w1.zero_grad();
    b.w2.zero_grad();
  }
  result.loss.backward();
  EXPECT_EQ(default_generator().offset(), position);
  result.gradients.push_back(x0.grad());
  for (const Block& b : blocks) {
    result.gradients.push_back(b.w1.grad());
    result.gradients.push_back(b.w2.grad());
  }
  return result;
}

Tensor plain(const Block& block, const Tensor& x) { return block(x); }
Tensor checkpointed(const Block& block, const Tensor& x) { return checkpoint(block, x); }

void expect_same(const Result& a, const Result& b) {
  expect_same_bits(a.loss, b.loss);
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    expect_same_bits(a.gradients[i], b.gradients[i], std::to_string(i));
  }
}

TEST(Checkpoint, GivesTheSameBitsDropoutIncluded) {
  const std::vector<Block> blocks = {Block(1), Block(3), Block(5)};
  const Tensor x = random({4, 8}, 9, DType::f32);
  expect_same(result_of(blocks, x, checkpointed), result_of(blocks, x, plain));
}

TEST(Checkpoint, RestoresAutocastAndPrecision) {
  const std::vector<Block> blocks = {Block(1), Block(3)};
  const Tensor x = random({32, 8}, 9, DType::f32);
  const auto under = [](const auto& run) {
    return [&run](const Block& block, const Tensor& input) {
      const Autocast autocast(DType::bf16);
      const PrecisionGuard precision(Precision::medium);
      return run(block, input);
    };
  };
  expect_same(result_of(blocks, x, under(checkpointed)), result_of(blocks, x, under(plain)));
}

TEST(Checkpoint, Nests) {
  const std::vector<Block> blocks = {Block(1), Block(3), Block(5)};
  const Tensor x = random({4, 8}, 9, DType::f32);
  int calls = 0;
  const auto nested = [&calls](const Block& block, const Tensor& input) {
    return checkpoint(
        [&](const Tensor& outer) {
          const Tensor h = checkpoint(
              [&](const Tensor& inner) {
                ++calls;
                return block(inner);
              },
              outer * 1.0);
          return checkpoint(block, h + outer) * 0.5;
        },
        input);
  };
  const auto without = [](const Block& block, const Tensor& input) {
    const Tensor h = block(input * 1.0);
    return block(h + input) * 0.5;
  };
  expect_same(result_of(blocks, x, nested), result_of(blocks, x, without));
  // Forward, again for the outer checkpoint, and again for the inner one.
  EXPECT_EQ(calls, 9);
}

TEST(Checkpoint, WorksWithGradAndCreateGraph) {
  const Block block(1, DType::f64);
  const auto second = [&](const auto& run) {
    manual_seed(5);
    const Tensor x = random({3, 8}, 9).requires_grad_();
    const Tensor y = sum(square(run(block, x)));
    const Tensors first = grad({y}, {x, block.w1}, {.create_graph = true});
    const Tensor penalty = sum(square(first[0])) + sum(first[1]);
    return grad({penalty}, {x, block.w1, block.w2});
  };
  const Tensors a = second(checkpointed), b = second(plain);
  for (size_t i = 0; i < a.size(); ++i) expect_same_bits(a[i], b[i], std::to_string(i));
}

TEST(Checkpoint, RetainGraphCallsTheFunctionOnce) {
  int calls = 0;
  const Tensor x = random({3}, 1).requires_grad_();
  const Tensor y = sum(checkpoint(
      [&](const Tensor& in) {
        ++calls;
        return exp(in) * in;
      },
      x));
  y.backward({.retain_graph = true});
  const Tensor once = x.grad().clone();
  y.backward();
  EXPECT_EQ(calls, 2);
  expect_same_bits(x.grad(), once * 2.0);
  EXPECT_THROW(y.backward(), AutogradError);
}

TEST(Checkpoint, TakesSeveralTensorsAndThoseWithoutGradient) {
  const Tensor x = random({3}, 1).requires_grad_(), y = random({3}, 2);
  const Tensor chosen = tensor<bool>({true, false, true});
  const TensorFunction f = [](const Tensors& in) -> Tensors {
    EXPECT_FALSE(in[3].defined());
    const Tensor z = where(in[2], exp(in[0]) * in[1], in[0] * in[0]);
    return {z, z * in[1], argmax(z, 0)};
  };
  const Tensors in = {x * 1.0, y, chosen, Tensor()};
  const Tensors got = checkpoint(f, in), expected = f(in);
  expect_same_bits(grad({sum(got[0] * got[1])}, {x})[0],
                   grad({sum(expected[0] * expected[1])}, {x})[0]);
}

TEST(Checkpoint, OtherGeneratorsAreNamed) {
  const Tensor x = random({64}, 1).requires_grad_();
  const auto gradient = [&](bool on) {
    Generator own(3);
    const auto f = [&own](const Tensor& in) { return dropout(exp(in), 0.5, true, own) * in; };
    const Tensor y = sum(on ? checkpoint(f, x, {.generators = {&own}}) : f(x));
    const Tensor dx = grad({y}, {x})[0];
    EXPECT_EQ(own.offset(), 1u);
    return dx;
  };
  expect_same_bits(gradient(true), gradient(false));
}

TEST(Checkpoint, TellsForwardsThatItRecomputes) {
  std::vector<bool> seen;
  const Tensor x = random({3}, 1).requires_grad_();
  const auto f = [&](const Tensor& in) {
    seen.push_back(recomputing());
    return exp(in);
  };
  sum(checkpoint([&](const Tensor& in) { return checkpoint(f, f(in)); }, x)).backward();
  // Forward twice; the outer one again, with its checkpoint; that one again.
  EXPECT_EQ(seen, (std::vector<bool>{false, false, true, true, true}));
  EXPECT_FALSE(recomputing());
}

TEST(Checkpoint, BackwardMayRunInAnotherThread) {
  const std::vector<Block> blocks = {Block(1), Block(3)};
  const Tensor x = random({4, 8}, 9, DType::f32);
  const auto run = [&](bool other) {
    manual_seed(4);
    const Tensor in = x.detach().requires_grad_();
    const Tensor y = sum(checkpointed(blocks[1], checkpointed(blocks[0], in)));
    if (other) {
      std::thread([&] { y.backward(); }).join();
    } else {
      y.backward();
    }
    return in.grad();
  };
  expect_same_bits(run(true), run(false));
}

// Of one graph, at once: who comes first calls the function.
TEST(Checkpoint, ThreadsShareAGraph) {
  std::atomic<int> calls{0};
  const Tensor w = tensor<double>({1, 2}).requires_grad_();
  const Tensor shared = checkpoint(
      [&](const Tensor& x) {
        ++calls;
        return exp(x) * x;
      },
      w);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&shared] {
      for (int i = 0; i < 20; ++i) sum(shared * 1.0).backward({.retain_graph = true});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, 2);
  EXPECT_NEAR(w.grad().to_vector<double>()[1], 80 * 3 * std::exp(2.0), 1e-9);
}

TEST(Checkpoint, WithoutGradModeItIsTheFunction) {
  int calls = 0;
  const int64_t nodes = live_nodes();
  const NoGrad off;
  const Tensor y = checkpoint(
      [&](const Tensor& x) {
        ++calls;
        return exp(x);
      },
      random({2}, 1).requires_grad_());
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(live_nodes(), nodes);
}

TEST(Checkpoint, ChangedInputsAndParametersAreFound) {
  const Tensor x = random({3}, 1).requires_grad_();
  const Tensor h = x * 2.0;
  const Tensor y = sum(checkpoint([](const Tensor& in) { return exp(in) * in; }, h));
  const Tensor w = random({3}, 2).requires_grad_();
  const Tensor z = sum(checkpoint([&](const Tensor& in) { return in * w; }, x));
  {
    const NoGrad off;
    add_(h, 1.0);
    add_(w, 1.0);
  }
  for (const Tensor& one : {y, z}) {
    EXPECT_NE(message_of<AutogradError>([&] { one.backward(); }).find("add_"), std::string::npos);
  }
}

TEST(Checkpoint, WritesInsideAreFound) {
  const Tensor x = random({3}, 1).requires_grad_();
  const Tensor y = sum(checkpoint(
      [](const Tensor& in) {
        const Tensor e = exp(in);
        const NoGrad off;
        add_(e, 1.0);
        return e;
      },
      x));
  EXPECT_NE(message_of<AutogradError>([&] { y.backward(); }).find("add_"), std::string::npos);
}

TEST(Checkpoint, AFunctionThatDoesSomethingElseIsFound) {
  const Tensor x = random({3, 2}, 1).requires_grad_();
  int call = 0;
  const auto message = [&](const auto& second) {
    call = 0;
    const Tensor y = sum(
        checkpoint([&](const Tensor& in) { return ++call == 1 ? exp(in * in) : second(in); }, x));
    return message_of<AutogradError>([&] { y.backward(); });
  };
  const std::string fewer = message([](const Tensor& in) { return in * in; });
  EXPECT_NE(fewer.find("saved 1 tensors, and 0"), std::string::npos) << fewer;
  const std::string more = message([](const Tensor& in) { return exp(exp(in)); });
  EXPECT_NE(more.find("saved 1 tensors, and 2"), std::string::npos) << more;
  const std::string other = message([](const Tensor& in) { return exp(sum(in)); });
  EXPECT_NE(other.find("of shape (3, 2)"), std::string::npos) << other;
}

TEST(Checkpoint, NoGradientsAreAskedForInside) {
  const Tensor x = random({3}, 1).requires_grad_();
  const std::string message = message_of<AutogradError>(
      [&] { checkpoint([](const Tensor& in) { return grad({sum(exp(in))}, {in})[0]; }, x); });
  EXPECT_NE(message.find("inside of the function"), std::string::npos) << message;
}

TEST(Checkpoint, ErrorsOfTheFunctionPassThrough) {
  int call = 0;
  const Tensor x = random({3}, 1).requires_grad_();
  const Tensor y = sum(checkpoint(
      [&](const Tensor& in) {
        if (++call == 2) fail("its own");
        return exp(in * in);
      },
      x));
  EXPECT_EQ(message_of<Error>([&] { y.backward(); }), "its own");
  EXPECT_FALSE(recomputing());
  y.backward();  // the third call does it
  EXPECT_TRUE(x.grad().defined());
}

TEST(Checkpoint, NothingIsLeftAlive) {
  const int64_t before = live_nodes();
  {
    const Block block(1);
    const Tensor x = random({4, 8}, 9, DType::f32).requires_grad_();
    (void)checkpoint(block, checkpoint(block, x));
    sum(checkpoint(block, x)).backward();
    sum(checkpoint(block, x)).backward({.retain_graph = true});
  }
  EXPECT_EQ(live_nodes(), before);
}

// Twelve layers that save three results each, of which one is the input of the next: those twelve
// are kept in place of all, and what one layer saves at a time.
TEST(Checkpoint, SavesMemory) {
  constexpr int64_t kElements = 1 << 18, kBytes = 4 * kElements, kLayers = 12;
  const auto layer = [](const Tensor& x) { return tanh(sigmoid(exp(sin(x)))); };
  const auto peak = [&](bool on) {
    const Tensor x = full({kElements}, 0.1).requires_grad_();
    const int64_t before = memory_stats().current;
    reset_peak_memory();
    Tensor y = x;
    for (int64_t i = 0; i < kLayers; ++i) y = on ? checkpoint(layer, y) : layer(y);
    sum(y).backward();
    return memory_stats().peak - before;
  };
  const int64_t all = peak(false), few = peak(true);
  EXPECT_GE(all, 3 * kLayers * kBytes);
  EXPECT_LE(few, (kLayers + 3 + 5) * kBytes);  // and some gradients on the way
}

}  // namespace
}  // namespace adjoint
