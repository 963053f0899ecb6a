#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

namespace adjoint {
namespace {

Tensor counting(const Shape& shape, double from = 0) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  std::iota(values.begin(), values.end(), from);
  return from_vector(values, shape);
}

TEST(Join, Cat) {
  const Tensor a = counting({2, 2}), b = counting({2, 1}, 10);
  const Tensor y = cat({a, b, a}, 1);
  EXPECT_EQ(y.shape(), Shape({2, 5}));
  EXPECT_EQ(y.to_vector<double>(), (std::vector<double>{0, 1, 10, 0, 1, 2, 3, 11, 2, 3}));
  EXPECT_EQ(cat({a, a.transpose(0, 1)}, -2).to_vector<double>(),
            (std::vector<double>{0, 1, 2, 3, 0, 2, 1, 3}));
  EXPECT_EQ(cat({zeros({0, 2}, DType::f64), a}).to_vector<double>(), a.to_vector<double>());
}

TEST(Join, CatPromotes) {
  const Tensor y = cat({arange(2), tensor<float>({0.5f})});
  EXPECT_EQ(y.dtype(), DType::f32);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{0, 1, 0.5f}));
}

TEST(Join, CatLeavesOutWhatIsOfShapeZero) {
  const Tensor nothing = zeros({0}, DType::f64).requires_grad_();
  const Tensor a = counting({2, 2}).requires_grad_();
  const Tensor y = cat({nothing, a, zeros({0}), a}, 1);
  EXPECT_EQ(y.shape(), Shape({2, 4}));
  EXPECT_EQ(y.to_vector<double>(), (std::vector<double>{0, 1, 0, 1, 2, 3, 2, 3}));
  const std::vector<Tensor> g = grad({sum(y * counting({2, 4}))}, {nothing, a});
  EXPECT_EQ(g[0].shape(), Shape({0}));
  EXPECT_EQ(g[1].to_vector<double>(), (std::vector<double>{2, 4, 10, 12}));
  EXPECT_EQ(cat({zeros({0}), zeros({0})}).shape(), Shape({0}));
}

TEST(Join, CatGradients) {
  const Tensor a = counting({2, 2}).requires_grad_(), b = counting({2, 1}, 10).requires_grad_();
  const Tensor y = cat({a, b, a}, 1);
  const Tensor g = grad({sum(y * y * counting({2, 5}))}, {a}, {.create_graph = true})[0];
  EXPECT_EQ(g.to_vector<double>(), (std::vector<double>{0, 10, 52, 90}));  // 2 a (w1 + w2)
  const Tensor h = grad({sum(g)}, {a})[0];
  EXPECT_EQ(h.to_vector<double>(), (std::vector<double>{6, 10, 26, 30}));
}

TEST(Join, CatErrors) {
  const Tensor a = zeros({2, 2});
  EXPECT_THROW(cat(std::vector<Tensor>{}), ShapeError);
  EXPECT_THROW(cat({scalar(1.0)}), ShapeError);
  EXPECT_THROW(cat({a, zeros({0, 3})}), ShapeError);
  EXPECT_THROW(cat({a, a}, 2), IndexError);
  try {
    cat({a, zeros({3, 2})}, 1);
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(),
                 "cat: tensor 1 of shape (3, 2) beside tensor 0 of shape (2, 2); expected equal "
                 "sizes but at dimension 1");
  }
}

TEST(Join, Stack) {
  const Tensor a = counting({2}), b = counting({2}, 5);
  EXPECT_EQ(stack({a, b}).to_vector<double>(), (std::vector<double>{0, 1, 5, 6}));
  EXPECT_EQ(stack({a, b}, -1).to_vector<double>(), (std::vector<double>{0, 5, 1, 6}));
  EXPECT_EQ(stack({scalar(1.0), scalar(2.0)}).to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_THROW(stack({a, counting({3})}), ShapeError);
}

TEST(Join, SplitAndChunkAreViews) {
  const Tensor x = counting({5, 2});
  const std::vector<Tensor> parts = split(x, 2);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[2].to_vector<double>(), (std::vector<double>{8, 9}));
  EXPECT_EQ(parts[1].raw_data(), x.data<double>() + 4);
  const std::vector<int64_t> sizes = {1, 0, 4};
  EXPECT_EQ(split(x, sizes)[2].shape(), Shape({4, 2}));
  EXPECT_EQ(chunk(x, 4).size(), 3u);  // as PyTorch: of two rows each
  EXPECT_EQ(chunk(x, 2, 1)[1].to_vector<double>(), (std::vector<double>{1, 3, 5, 7, 9}));
  EXPECT_EQ(chunk(zeros({0}), 3).size(), 3u);
  EXPECT_EQ(split(zeros({0}), 3).size(), 1u);
  const std::vector<int64_t> wrong = {1, 1};
  EXPECT_THROW(split(x, wrong), ShapeError);
  EXPECT_THROW(split(x, 0), ShapeError);
  EXPECT_THROW(chunk(x, 0), ShapeError);
}

TEST(Join, SplitGradients) {
  const Tensor x = counting({4}).requires_grad_();
  const std::vector<Tensor> parts = chunk(x, 2);
  sum(parts[0] * parts[1]).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{2, 3, 0, 1}));
}

// Parts that overlap, leave gaps, are empty or stand between others: the gradients that are added
// in one buffer are those that are built by operators, bit for bit, and a leaf's former one is
// kept.
TEST(Join, GradientsOfPartsMeetInOneBuffer) {
  for (const bool leaf : {true, false}) {
    const auto gradient = [leaf](bool recorded) {
      const Tensor x = counting({3, 8, 2}).requires_grad_();
      const Tensor y = leaf ? x : x * 1.5;
      const auto loss = [&] {
        return sum(exp(slice(y, 1, 2, 5) * -0.1)) + sum(square(slice(y, 1, 4, 8))) +
               sum(tanh(slice(y, 1, 0, 8, 3) * 0.1)) + sum(square(select(y, 2, 1))) +
               sum(slice(y, 0, 1, 1)) + sum(transpose(slice(y, 1, 0, 2), 0, 1) * 3);
      };
      for (int i = 0; i < 2; ++i) {
        if (recorded) {
          loss().backward({.create_graph = true});
        } else {
          loss().backward();
        }
      }
      const Tensor dx = x.grad().detach().clone();
      x.zero_grad();
      return dx.to_vector<double>();
    };
    const std::vector<double> got = gradient(false), want = gradient(true);
    for (size_t i = 0; i < want.size(); ++i) {
      EXPECT_NEAR(got[i], want[i], leaf ? 4e-16 * 6 * std::fabs(want[i]) + 1e-15 : 0) << leaf << i;
    }
  }
}

}  // namespace
}  // namespace adjoint
