#include <adjoint/core/autocast.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/random_tensors.h>

#include "core/kernels/kernels.h"
#include "core/ops/composed.h"
#include "core/tensor/thread_pool.h"
#include "tests/core/numeric.h"
#include "tests/golden/network_ops.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

Tensor targets(const Shape& shape, int64_t classes) {
  std::vector<int64_t> t(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < t.size(); ++i) t[i] = static_cast<int64_t>(i * 7 + 2) % classes;
  return from_vector(t, shape);
}

TEST(CrossEntropy, MatchesPyTorch) {
  const Tensor logits = wave({5, 7}, 4) * 2.0;
  const Tensor target = tensor<int64_t>({3, 0, -100, 6, 2});
  const std::pair<Reduction, const std::vector<double>*> cases[] = {
      {Reduction::none, &golden::kCrossEntropy_none},
      {Reduction::mean, &golden::kCrossEntropy_mean},
      {Reduction::sum, &golden::kCrossEntropy_sum}};
  for (const auto& [reduction, expected] : cases) {
    const CrossEntropyOptions options{.reduction = reduction, .label_smoothing = 0.1};
    expect_golden(
        [&](const std::vector<Tensor>& in) { return cross_entropy(in[0], target, options); },
        {logits}, *expected);
  }
  const Tensor grid = tensor<int64_t>({1, 0, 3, 2, 2, 1}, {2, 3});
  expect_golden(
      [&](const std::vector<Tensor>& in) {
        return cross_entropy(in[0], grid, {.ignore_index = 1});
      },
      {wave({2, 4, 3}, 5)}, golden::kCrossEntropyGrid);
}

TEST(CrossEntropy, MatchesItsDefinition) {
  for (const Shape& shape : {Shape{6}, {4, 6}, {3, 65}, {2, 5, 3}, {2, 5, 3, 2}, {0, 5}}) {
    Shape target_shape = shape;
    target_shape.erase(shape.rank() == 1 ? 0 : 1);
    const int64_t classes = shape[shape.rank() == 1 ? 0 : 1];
    const Tensor x = random(shape, 1) * 4.0, target = targets(target_shape, classes);
    for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
      for (const double smoothing : {0.0, 0.2, 1.0}) {
        const CrossEntropyOptions options{reduction, 4, smoothing};
        const Tensor expected = composed::cross_entropy(x, target, options);
        expect_close(cross_entropy(x, target, options), expected, 1e-13, to_string(shape));
        expect_close(cross_entropy(x.to(DType::f32), target, options), expected, 3e-6);
        if (shape[0] == 0) continue;
        expect_gradients(
            [&](const std::vector<Tensor>& in) { return cross_entropy(in[0], target, options); },
            {x});
      }
    }
  }
}

TEST(CrossEntropy, SecondGradients) {
  const Tensor target = tensor<int64_t>({1, 0, 2});
  for (const double smoothing : {0.0, 0.1}) {
    expect_second_gradients(
        [&](const std::vector<Tensor>& in) {
          return cross_entropy(in[0], target, {.ignore_index = 0, .label_smoothing = smoothing});
        },
        {random({3, 4}, 1)});
  }
}

TEST(CrossEntropy, StridedInputs) {
  const Tensor x = random({6, 4}, 1).transpose(0, 1);
  const Tensor target = slice(targets({8}, 6), 0, 0, 8, 2);
  expect_close(cross_entropy(x, target), composed::cross_entropy(x, target), 1e-14);
  expect_gradients([&](const std::vector<Tensor>& in) { return cross_entropy(in[0], target); },
                   {x});
}

TEST(CrossEntropy, NothingCounts) {
  const Tensor x = random({2, 3}, 1).requires_grad_();
  const Tensor target = full({2}, -100, DType::i64);
  const Tensor loss = cross_entropy(x, target);
  EXPECT_TRUE(std::isnan(loss.item()));
  loss.backward();
  expect_close(x.grad(), zeros({2, 3}, DType::f64), 0);
  EXPECT_EQ(cross_entropy(x, target, {.reduction = Reduction::sum}).item(), 0);
}

TEST(CrossEntropy, LargeLogits) {
  const Tensor x = tensor<float>({10000, 0, -10000, -INFINITY, 3, 4}, {2, 3});
  const Tensor target = tensor<int64_t>({1, 2});
  const auto loss = values(cross_entropy(x, target, {.reduction = Reduction::none}));
  EXPECT_EQ(loss[0], 10000);
  EXPECT_NEAR(loss[1], std::log1p(std::exp(-1.0)), 1e-6);
}

TEST(CrossEntropy, EachInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  const Tensor x = random({9, 65}, 1) * 5.0, target = targets({9}, 65);
  const Tensor expected = composed::cross_entropy(x, target, {.reduction = Reduction::none});
  for (int i = 0; i < count; ++i) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Tensor x0 = x.to(dtype), loss = empty({9}, dtype), lse = empty({9}, dtype);
      kernels::kernels_for(isas[i]).loss.cross_entropy[static_cast<int>(dtype)](
          KernelScope(), {9, 65, x0.raw_data(), target.data<int64_t>(), -100, 0.0,
                          const_cast<void*>(loss.raw_data()), const_cast<void*>(lse.raw_data())});
      expect_close(loss, expected, 2e-6, isas[i]);
    }
  }
}

TEST(CrossEntropy, ThreadsDoNotChangeBits) {
  const Tensor x = random({700, 65}, 1, DType::f32), target = targets({700}, 65);
  const Function f = [&](const std::vector<Tensor>& in) { return cross_entropy(in[0], target); };
  expect_same_on_threads([&] {
    return std::vector<Tensor>{f({x}), gradients(f, {x}, scalar(1.0))[0]};
  });
}

TEST(CrossEntropy, ErrorsNameTheTarget) {
  const Tensor x = random({2, 3}, 1);
  EXPECT_EQ(message_of<IndexError>([&] {
              cross_entropy(x, tensor<int64_t>({0, 3}));
            }),
            "cross_entropy: target 3 at position 1 for 3 classes; expected a value in [0, 2], or "
            "ignore_index -100");
  EXPECT_EQ(message_of<ShapeError>([&] {
              cross_entropy(x, tensor<int64_t>({0, 1, 2}));
            }),
            "cross_entropy: target of shape (3,) for logits of shape (2, 3); expected (2,)");
  EXPECT_THROW(cross_entropy(x, tensor<int64_t>({-1, 0})), IndexError);
  EXPECT_THROW(cross_entropy(x, random({2}, 2)), DTypeError);
  EXPECT_THROW(cross_entropy(arange(3), arange(3)), DTypeError);
  EXPECT_THROW(cross_entropy(x, tensor<int64_t>({0, 1}), {.label_smoothing = 1.5}), ConfigError);
}

// --- linear_cross_entropy ---

TEST(LinearCrossEntropy, MatchesPyTorch) {
  const Tensor target = tensor<int64_t>({3, 0, -100, 6, 2});
  for (const int64_t chunk_rows : {0, 2}) {
    expect_golden(
        [&](const std::vector<Tensor>& in) {
          return linear_cross_entropy(in[0], in[1], target, in[2],
                                      {.label_smoothing = 0.1, .chunk_rows = chunk_rows});
        },
        {wave({5, 3}, 1), wave({7, 3}, 2), wave({7}, 3)}, golden::kLinearCrossEntropy);
  }
}

// However the rows are cut, whichever inputs want gradients, whatever the gradient of the loss.
TEST(LinearCrossEntropy, MatchesItsDefinition) {
  const Tensor x = random({11, 6}, 1), w = random({9, 6}, 2), b = random({9}, 3);
  const Tensor target = targets({11}, 9);
  for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    for (const int64_t chunk_rows : {0, 1, 4, 11}) {
      const LinearCrossEntropyOptions options{reduction, 5, 0.1, chunk_rows};
      const std::string trace = "chunks of " + std::to_string(chunk_rows);
      const Function fused = [&](const std::vector<Tensor>& in) {
        return linear_cross_entropy(in[0], in[1], target, in[2], options);
      };
      const Function plain = [&](const std::vector<Tensor>& in) {
        return composed::linear_cross_entropy(in[0], in[1], target, in[2], options);
      };
      const Tensor expected = plain({x, w, b});
      expect_close(fused({x, w, b}), expected, 1e-13, trace);
      expect_close(fused({x.to(DType::f32), w.to(DType::f32), b.to(DType::f32)}), expected, 3e-5,
                   trace);
      const Tensor dy = random(expected.shape(), 4);
      const auto got = gradients(fused, {x, w, b}, dy), wanted = gradients(plain, {x, w, b}, dy);
      for (size_t i = 0; i < 3; ++i) expect_close(got[i], wanted[i], 1e-12, trace);
      expect_gradients(
          [&](const std::vector<Tensor>& in) {
            return linear_cross_entropy(in[0], w, target, {}, options);
          },
          {x});
      expect_gradients(
          [&](const std::vector<Tensor>& in) {
            return linear_cross_entropy(x, in[0], target, b, options);
          },
          {w});
    }
  }
}

TEST(LinearCrossEntropy, SecondGradients) {
  const Tensor target = tensor<int64_t>({1, 0, 2});
  for (const int64_t chunk_rows : {0, 2}) {
    expect_second_gradients(
        [&](const std::vector<Tensor>& in) {
          return linear_cross_entropy(
              in[0], in[1], target, in[2],
              {.ignore_index = 0, .label_smoothing = 0.1, .chunk_rows = chunk_rows});
        },
        {random({3, 2}, 1), random({4, 2}, 2), random({4}, 3)});
  }
}

// The logits, or the gradients computed with the loss, are used up by the first backward.
TEST(LinearCrossEntropy, SeveralBackwards) {
  const Tensor target = targets({7}, 5);
  for (const Reduction reduction : {Reduction::none, Reduction::mean}) {
    for (const int64_t chunk_rows : {0, 3}) {
      const Tensor x = random({7, 4}, 1).requires_grad_(), w = random({5, 4}, 2).requires_grad_();
      const Tensor loss = linear_cross_entropy(x, w, target, {},
                                               {.reduction = reduction, .chunk_rows = chunk_rows});
      const Tensor dy = random(loss.shape(), 3);
      // Only one of the gradients, then both, twice; each adds to what is there.
      const Tensor dx = grad({loss}, {x}, {.grad_outputs = {dy}, .retain_graph = true})[0];
      loss.backward({.gradient = dy, .retain_graph = true});
      const Tensor first_x = x.grad().clone(), first_w = w.grad().clone();
      expect_close(first_x, dx, 1e-14);
      loss.backward({.gradient = dy, .retain_graph = true});
      loss.backward({.gradient = dy * -0.5});
      expect_close(x.grad(), first_x * 1.5, 1e-14);
      expect_close(w.grad(), first_w * 1.5, 1e-14);
      EXPECT_THROW(loss.backward({.gradient = dy}), AutogradError);
      // The gradients are the leaf's own: writing to them changes nothing else.
      const Tensor fresh = linear_cross_entropy(x, w, target, {},
                                                {.reduction = reduction, .chunk_rows = chunk_rows});
      x.zero_grad();
      w.zero_grad();
      fresh.backward({.gradient = dy});
      expect_close(x.grad(), first_x, 1e-14);
      expect_close(w.grad(), first_w, 1e-14);
    }
  }
}

// A weight that is used before as well (a tied embedding), its gradients added up.
TEST(LinearCrossEntropy, TiedWeight) {
  const Tensor ids = tensor<int64_t>({0, 2, 2, 4, 1});
  for (const int64_t chunk_rows : {0, 2}) {
    expect_gradients(
        [&](const std::vector<Tensor>& in) {
          return linear_cross_entropy(embedding(ids, in[0]) * 2.0, in[0], targets({5}, 6), {},
                                      {.chunk_rows = chunk_rows});
        },
        {random({6, 3}, 1)});
  }
}

TEST(LinearCrossEntropy, ChangedInputsAreErrors) {
  for (const int64_t chunk_rows : {0, 2}) {
    const Tensor x = random({5, 3}, 1), w = random({4, 3}, 2).requires_grad_();
    const Tensor loss = linear_cross_entropy(x, w, targets({5}, 4), {}, {.chunk_rows = chunk_rows});
    fill_(x, 1);
    EXPECT_THROW(loss.backward(), AutogradError);
  }
}

TEST(LinearCrossEntropy, NothingCounts) {
  const Tensor x = random({2, 3}, 1).requires_grad_(), w = random({4, 3}, 2).requires_grad_();
  const Tensor target = full({2}, -100, DType::i64);
  const Tensor loss = linear_cross_entropy(x, w, target);
  EXPECT_TRUE(std::isnan(loss.item()));
  loss.backward();
  expect_close(x.grad(), zeros({2, 3}, DType::f64), 0);
  expect_close(w.grad(), zeros({4, 3}, DType::f64), 0);
  const Tensor none = linear_cross_entropy(zeros({0, 3}, DType::f64), w, zeros({0}, DType::i64), {},
                                           {.reduction = Reduction::sum});
  none.backward();
  expect_close(w.grad(), zeros({4, 3}, DType::f64), 0);
}

TEST(LinearCrossEntropy, NotFiniteStays) {
  for (const int64_t chunk_rows : {0, 2}) {
    const Tensor x = random({4, 3}, 1), w = random({5, 3}, 2);
    fill_(select(x, 0, 1), NAN);
    const Tensor loss = linear_cross_entropy(
        x, w, targets({4}, 5), {}, {.reduction = Reduction::none, .chunk_rows = chunk_rows});
    const std::vector<double> losses = loss.to_vector<double>();
    EXPECT_TRUE(std::isnan(losses[1]));
    EXPECT_TRUE(std::isfinite(losses[0]) && std::isfinite(losses[2]));
  }
}

TEST(LinearCrossEntropy, ThreadsDoNotChangeBits) {
  const std::vector<Tensor> in{random({300, 24}, 1, DType::f32), random({65, 24}, 2, DType::f32),
                               random({65}, 3, DType::f32)};
  const Tensor target = targets({300}, 65);
  for (const int64_t chunk_rows : {0, 128}) {
    const Function f = [&](const std::vector<Tensor>& x) {
      return linear_cross_entropy(x[0], x[1], target, x[2], {.chunk_rows = chunk_rows});
    };
    expect_same_on_threads([&] {
      std::vector<Tensor> all = gradients(f, in, scalar(1.0f));
      all.push_back(f(in));
      return all;
    });
  }
}

// Chunks of logits, not all of them: what is alive at most while it runs.
TEST(LinearCrossEntropy, MemoryIsThatOfAChunk) {
  const int64_t rows = 2000, classes = 1000;
  const Tensor x = random({rows, 8}, 1, DType::f32).requires_grad_();
  const Tensor w = random({classes, 8}, 2, DType::f32).requires_grad_();
  const Tensor target = targets({rows}, classes);
  reset_peak_memory();
  const auto before = memory_stats().current;
  linear_cross_entropy(x, w, target, {}, {.chunk_rows = 100}).backward();
  const auto peak = memory_stats().peak - before;
  EXPECT_LT(peak, 4 * rows * classes / 4);
}

TEST(MseLoss, MatchesPyTorch) {
  expect_golden([](const std::vector<Tensor>& in) { return mse_loss(in[0], in[1]); },
                {wave({3, 4}, 1), wave({3, 4}, 2)}, golden::kMse);
}

TEST(MseLoss, ReductionsAndGradients) {
  const Tensor a = random({3, 4}, 1), b = random({4, 3}, 2).transpose(0, 1);
  for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    const Function f = [reduction](const std::vector<Tensor>& in) {
      return mse_loss(in[0], in[1], reduction);
    };
    expect_close(f({a, b}), composed::mse_loss(a, b, reduction), 1e-14);
    expect_gradients(f, {a, b});
    expect_second_gradients(f, {a, b});
  }
  const Tensor large = random({30000}, 1), other = random({30000}, 2);
  expect_close(mse_loss(large.to(DType::f32), other.to(DType::f32)),
               composed::mse_loss(large, other), 1e-6);
  EXPECT_TRUE(std::isnan(mse_loss(zeros({0}), zeros({0})).item()));
  EXPECT_EQ(mse_loss(zeros({0}), zeros({0}), Reduction::sum).item(), 0);
}

TEST(MseLoss, RefusesToBroadcast) {
  EXPECT_THROW(mse_loss(random({3, 1}, 1), random({3}, 1)), ShapeError);
  EXPECT_THROW(mse_loss(arange(3), arange(3)), DTypeError);
}

// Logits of bf16 are read as they are, with the bits of their f32 copies rounded once.
TEST(CrossEntropy, OfBf16IsThatOfF32Rounded) {
  for (const int64_t classes : {1, 7, 64, 301}) {
    const Tensor narrow = to(random({33, classes}, 1) * 4.0, DType::bf16).requires_grad_();
    const Tensor wide = to(narrow.detach(), DType::f32).requires_grad_();
    const Tensor target = randint(0, classes, {33});
    for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
      for (const double smoothing : {0.0, 0.25}) {
        for (const bool autocast : {false, true}) {
          const CrossEntropyOptions options{
              .reduction = reduction, .ignore_index = 3, .label_smoothing = smoothing};
          const Tensor got = [&] {
            const Autocast guard(autocast);
            return cross_entropy(narrow, target, options);
          }();
          const Tensor want = cross_entropy(wide, target, options);
          const DType dtype = autocast ? DType::f32 : DType::bf16;
          expect_same_bits(got.detach(), to(want.detach(), dtype));
          const Tensor dy = to(random(want.shape(), 5), dtype);
          narrow.zero_grad();
          wide.zero_grad();
          got.backward({.gradient = dy});
          want.backward({.gradient = to(dy, DType::f32)});
          expect_same_bits(narrow.grad(), to(wide.grad(), DType::bf16));
        }
      }
    }
  }
}

}  // namespace
}  // namespace adjoint
