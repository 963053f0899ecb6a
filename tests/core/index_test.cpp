#include <adjoint/core/autograd.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/kernels/kernels.h"
#include "core/tensor/thread_pool.h"

namespace adjoint {
namespace {

using Values = std::vector<double>;

Tensor counting(const Shape& shape) { return to(arange(shape.numel()), DType::f64).reshape(shape); }

TEST(Embedding, RowsByIndex) {
  const Tensor weight = counting({4, 2});
  const Tensor y = embedding(tensor<int64_t>({3, 0, 3, 1}, {2, 2}), weight);
  EXPECT_EQ(y.shape(), Shape({2, 2, 2}));
  EXPECT_EQ(y.to_vector<double>(), (Values{6, 7, 0, 1, 6, 7, 2, 3}));
  // Strided indices, a strided weight, no dimension, no index at all.
  const Tensor indices = tensor<int64_t>({3, 0, 3, 1}, {2, 2}).transpose(0, 1);
  EXPECT_EQ(embedding(indices, counting({2, 4}).transpose(0, 1)).to_vector<double>(),
            (Values{3, 7, 3, 7, 0, 4, 1, 5}));
  EXPECT_EQ(embedding(scalar(2, DType::i64), weight).to_vector<double>(), (Values{4, 5}));
  EXPECT_EQ(embedding(zeros({0, 3}, DType::i64), weight).shape(), Shape({0, 3, 2}));
  EXPECT_EQ(embedding(tensor<int64_t>({1}), arange(6).reshape({3, 2})).to_vector<int64_t>(),
            (std::vector<int64_t>{2, 3}));
}

TEST(Embedding, Errors) {
  const Tensor weight = zeros({5, 2});
  try {
    embedding(tensor<int64_t>({0, 4, 5, 1}, {2, 2}), weight);
    FAIL();
  } catch (const IndexError& e) {
    EXPECT_STREQ(e.what(),
                 "embedding: index 5 at (1, 0) of indices of shape (2, 2); expected values in [0, "
                 "5), the rows of the weight");
  }
  EXPECT_THROW(embedding(tensor<int64_t>({-1}), weight), IndexError);
  EXPECT_THROW(embedding(zeros({2}), weight), DTypeError);
  EXPECT_THROW(embedding(tensor<int64_t>({1}), zeros({5})), ShapeError);
  EXPECT_THROW(embedding(tensor<int64_t>({1}), weight, 5), IndexError);
  EXPECT_THROW(embedding(Tensor(), weight), Error);
}

TEST(Embedding, GradientsAddUp) {
  const Tensor weight = counting({4, 3}).requires_grad_();
  const Tensor indices = tensor<int64_t>({1, 3, 1}), scale = counting({3, 3});
  sum(embedding(indices, weight) * scale).backward();
  const Values once = {0, 0, 0, 6, 8, 10, 0, 0, 0, 3, 4, 5};
  EXPECT_EQ(weight.grad().to_vector<double>(), once);
  // A second time into the same buffer.
  const void* buffer = weight.grad().raw_data();
  sum(embedding(indices, weight) * scale).backward();
  Values twice = once;
  for (double& v : twice) v *= 2;
  EXPECT_EQ(weight.grad().to_vector<double>(), twice);
  EXPECT_EQ(weight.grad().raw_data(), buffer);
}

TEST(Embedding, PaddingHasNoGradient) {
  for (int64_t padding : {1, -3}) {
    const Tensor weight = counting({4, 2}).requires_grad_();
    const Tensor y = embedding(tensor<int64_t>({1, 3, 1}), weight, padding);
    EXPECT_EQ(y.to_vector<double>(), (Values{2, 3, 6, 7, 2, 3}));
    const Tensor g = grad({sum(y * y)}, {weight}, {.create_graph = true})[0];
    EXPECT_EQ(g.to_vector<double>(), (Values{0, 0, 0, 0, 0, 0, 12, 14}));
    const Tensor h = grad({sum(g)}, {weight})[0];
    EXPECT_EQ(h.to_vector<double>(), (Values{0, 0, 0, 0, 0, 0, 2, 2}));
  }
}

TEST(Embedding, SecondDerivatives) {
  const Tensor weight = counting({3, 2}).requires_grad_();
  const Tensor y = embedding(tensor<int64_t>({2, 0, 2}), weight);
  const Tensor g = grad({sum(y * y * y)}, {weight}, {.create_graph = true})[0];
  EXPECT_EQ(g.to_vector<double>(), (Values{0, 3, 0, 0, 96, 150}));  // 3 w^2, twice for row 2
  const Tensor h = grad({sum(g * g)}, {weight})[0];                 // 2 g g'
  EXPECT_EQ(h.to_vector<double>(), (Values{0, 36, 0, 0, 2 * 96 * 48, 2 * 150 * 60}));
}

TEST(Embedding, BitsDoNotDependOnThreads) {
  const int before = num_threads();
  Generator g(1);
  const Tensor indices = randint(0, 50, {4000}, g);
  const Tensor dy = randn({4000, 200}, DType::f32, g);
  std::vector<std::vector<float>> results;
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    const Tensor weight = zeros({50, 200}).requires_grad_();
    sum(embedding(indices, weight) * dy).backward();
    results.push_back(weight.grad().to_vector<float>());
  }
  set_num_threads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
  // In the order of the indices, one after the other.
  std::vector<float> expected(50 * 200);
  const auto i = indices.to_vector<int64_t>();
  const auto d = dy.to_vector<float>();
  for (size_t k = 0; k < i.size(); ++k) {
    for (size_t j = 0; j < 200; ++j)
      expected[static_cast<size_t>(i[k]) * 200 + j] += d[k * 200 + j];
  }
  EXPECT_EQ(results[0], expected);
}

TEST(Embedding, EveryInstructionSetAddsAlike) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  Generator g(2);
  for (int64_t width : {1, 7, 16, 63, 64, 65, 130}) {
    const Tensor indices = randint(0, 9, {100}, g), dy = randn({100, width}, DType::f32, g);
    std::vector<std::vector<float>> results;
    for (int i = 0; i < count; ++i) {
      const Tensor table = zeros({9, width});
      kernels::Loop<3> loop{};
      loop.rank = 2;
      loop.size[0] = width;
      loop.size[1] = 100;
      loop.data[0] = table.mutable_data<float>();
      loop.data[1] = const_cast<int64_t*>(indices.data<int64_t>());
      loop.data[2] = const_cast<float*>(dy.data<float>());
      loop.stride[0][0] = loop.stride[2][0] = loop.stride[1][1] = 1;
      loop.stride[2][1] = width;
      kernels::kernels_for(isas[i]).index.add[kernels::kF32](KernelScope(), loop, {width, 9, 4});
      results.push_back(table.to_vector<float>());
    }
    for (const auto& r : results) EXPECT_EQ(r, results[0]);
    EXPECT_EQ(results[0][static_cast<size_t>(4 * width)], 0.0f);
  }
}

TEST(Triangles, KeepTheirSide) {
  const Tensor x = counting({3, 4}) + 1;
  EXPECT_EQ(tril(x).to_vector<double>(), (Values{1, 0, 0, 0, 5, 6, 0, 0, 9, 10, 11, 0}));
  EXPECT_EQ(triu(x).to_vector<double>(), (Values{1, 2, 3, 4, 0, 6, 7, 8, 0, 0, 11, 12}));
  for (int64_t d : {INT64_MIN, int64_t{-9}, int64_t{-2}, int64_t{1}, int64_t{3}, INT64_MAX}) {
    const auto low = tril(x, d).to_vector<double>(), high = triu(x, d).to_vector<double>();
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 4; ++j) {
        const auto at = static_cast<size_t>(4 * i + j);
        const auto value = static_cast<double>(at + 1);
        EXPECT_EQ(low[at], j - i <= d ? value : 0) << d;
        EXPECT_EQ(high[at], j - i >= d ? value : 0) << d;
      }
    }
  }
}

TEST(Triangles, BatchesStridesAndDtypes) {
  const Tensor x = counting({2, 3, 3}) + 1;
  EXPECT_EQ(tril(x).to_vector<double>(),
            (Values{1, 0, 0, 4, 5, 0, 7, 8, 9, 10, 0, 0, 13, 14, 0, 16, 17, 18}));
  EXPECT_EQ(triu(x.transpose(1, 2)).to_vector<double>(),
            tril(x).transpose(1, 2).to_vector<double>());
  EXPECT_EQ(tril(ones({2, 2}, DType::boolean)).to_vector<bool>(),
            (std::vector<bool>{true, false, true, true}));
  EXPECT_EQ(tril(zeros({0, 3, 3})).shape(), Shape({0, 3, 3}));
  EXPECT_EQ(triu(zeros({3, 0})).shape(), Shape({3, 0}));
  EXPECT_THROW(tril(zeros({3})), ShapeError);
}

TEST(Triangles, Gradients) {
  const Tensor x = counting({2, 2}).requires_grad_();
  const Tensor y = tril(x, -1) + triu(x, 1);
  const Tensor g = grad({sum(y * y)}, {x}, {.create_graph = true})[0];
  EXPECT_EQ(g.to_vector<double>(), (Values{0, 2, 4, 0}));
  EXPECT_EQ(grad({sum(g)}, {x})[0].to_vector<double>(), (Values{0, 2, 2, 0}));
}

}  // namespace
}  // namespace adjoint
