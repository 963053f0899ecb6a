// Tensors of f16, i32 and u8: conversions, dtypes of results, arithmetic that wraps around.
#include <adjoint/core/embedding.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/reductions.h>

#include "core/kernels/kernels.h"
#include "core/ops/contract.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::values;

// PyTorch's table of torch.promote_types for these dtypes.
TEST(DTypes, PromoteAsPyTorchs) {
  const DType all[] = {DType::boolean, DType::u8,   DType::i32, DType::i64,
                       DType::f16,     DType::bf16, DType::f32, DType::f64};
  const DType expected[8][8] = {{all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7]},
                                {all[1], all[1], all[2], all[3], all[4], all[5], all[6], all[7]},
                                {all[2], all[2], all[2], all[3], all[4], all[5], all[6], all[7]},
                                {all[3], all[3], all[3], all[3], all[4], all[5], all[6], all[7]},
                                {all[4], all[4], all[4], all[4], all[4], all[6], all[6], all[7]},
                                {all[5], all[5], all[5], all[5], all[6], all[5], all[6], all[7]},
                                {all[6], all[6], all[6], all[6], all[6], all[6], all[6], all[7]},
                                {all[7], all[7], all[7], all[7], all[7], all[7], all[7], all[7]}};
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 8; ++j) {
      EXPECT_EQ(promote(all[i], all[j]), expected[i][j]) << all[i] << " " << all[j];
      EXPECT_EQ((ones({2}, all[i]) + ones({2}, all[j])).dtype(), expected[i][j]);
    }
  }
  EXPECT_EQ((ones({2}, DType::u8) + 1000).dtype(), DType::u8);
  EXPECT_EQ((ones({2}, DType::i32) * 2.5).dtype(), DType::f32);
  EXPECT_EQ((ones({2}, DType::f16) * 2.5).dtype(), DType::f16);
  EXPECT_EQ((ones({2}, DType::u8) / ones({2}, DType::u8)).dtype(), DType::f32);
}

TEST(DTypes, WholeNumbersWrapAround) {
  const Tensor bytes = from_vector(std::vector<uint8_t>{250, 3, 0});
  EXPECT_EQ(bytes.dtype(), DType::u8);
  EXPECT_EQ(values(bytes + 10), (std::vector<double>{4, 13, 10}));
  EXPECT_EQ(values(bytes - 4), (std::vector<double>{246, 255, 252}));
  EXPECT_EQ(values(bytes * bytes), (std::vector<double>{36, 9, 0}));
  EXPECT_EQ(values(neg(bytes)), (std::vector<double>{6, 253, 0}));
  const Tensor ints = from_vector(std::vector<int32_t>{2147483647, -2147483647 - 1, -7});
  EXPECT_EQ(values(ints + 1), (std::vector<double>{-2147483648.0, -2147483647.0, -6}));
  EXPECT_EQ(values(ints * 2), (std::vector<double>{-2, 0, -14}));
  EXPECT_EQ(values(abs(ints)), (std::vector<double>{2147483647.0, -2147483648.0, 7}));
  EXPECT_EQ(values(maximum(ints, zeros({3}, DType::i32))),
            (std::vector<double>{2147483647.0, 0, 0}));
  EXPECT_EQ(values(bytes > 2), (std::vector<double>{1, 1, 0}));
  EXPECT_EQ(values(bitwise_and(bytes, from_vector(std::vector<uint8_t>{15, 2, 1}))),
            (std::vector<double>{10, 2, 0}));
  EXPECT_EQ(bitwise_and(bytes, ints).dtype(), DType::i32);
  EXPECT_EQ(values(remainder(ints, full({3}, 4, DType::i32))), (std::vector<double>{3, 0, 1}));
  EXPECT_EQ(remainder(ints, ones({3}, DType::u8)).dtype(), DType::i32);
  // Sums are of i64, as PyTorch's; extrema keep their dtype.
  EXPECT_EQ(sum(ints).dtype(), DType::i64);
  EXPECT_EQ(sum(bytes + 0).item(), 253);
  EXPECT_EQ(amax(bytes, {0}).dtype(), DType::u8);
  EXPECT_EQ(amin(ints, {0}).item(), -2147483648.0);
  EXPECT_EQ(argmax(bytes, 0).item(), 0);
}

// Numbers of all sizes, so that nearly every product overflows.
template <class T>
Tensor any_numbers(const Shape& shape, uint64_t seed) {
  std::vector<T> numbers(static_cast<size_t>(shape.numel()));
  for (T& one : numbers) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    one = static_cast<T>(seed >> 13 ^ seed >> 29);
  }
  return from_vector(numbers, shape);
}

// The bits of base + a b, matrices, modulo 2^64 and then those of T.
template <class T>
std::vector<T> product_modulo(const Tensor& a, const Tensor& b, const Tensor& base) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  const auto x = a.contiguous().to_vector<T>(), y = b.contiguous().to_vector<T>();
  const auto start = expand(base, {m, n}).contiguous().template to_vector<T>();
  std::vector<T> z;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      auto sum = static_cast<uint64_t>(start[static_cast<size_t>(i * n + j)]);
      for (int64_t c = 0; c < k; ++c) {
        sum += static_cast<uint64_t>(x[static_cast<size_t>(i * k + c)]) *
               static_cast<uint64_t>(y[static_cast<size_t>(c * n + j)]);
      }
      z.push_back(static_cast<T>(sum));
    }
  }
  return z;
}

template <class T>
void check_products() {
  const DType dtype = dtype_of<T>;
  SCOPED_TRACE(name(dtype));
  for (const auto& [m, k, n] :
       {std::array<int64_t, 3>{3, 5, 4}, {70, 100, 130}, {1, 40, 3}, {129, 1, 1}, {2, 0, 65}}) {
    SCOPED_TRACE(to_string(Shape{m, k, n}));
    const Tensor a = any_numbers<T>({m, k}, 1), b = any_numbers<T>({k, n}, 2),
                 turned = transpose(any_numbers<T>({n, k}, 3), 0, 1), bias = any_numbers<T>({n}, 4),
                 nothing = zeros({}, dtype);
    const Tensor y = matmul(a, b);
    ASSERT_EQ(y.dtype(), dtype);
    EXPECT_EQ(y.to_vector<T>(), product_modulo<T>(a, b, nothing));
    EXPECT_EQ(mm(a, turned).to_vector<T>(), product_modulo<T>(a, turned, nothing));
    EXPECT_EQ(linear(a, transpose(b, 0, 1), bias).to_vector<T>(), product_modulo<T>(a, b, bias));
    EXPECT_EQ(addmm(bias, a, b, 3, -1).to_vector<T>(), product_modulo<T>(a, neg(b), bias * 3));
    EXPECT_EQ(einsum("ij,jk->ik", {a, b}).to_vector<T>(), y.to_vector<T>());
    const Tensor sum = y.clone();
    contract(sum, a, turned, {.accumulate = true});
    EXPECT_EQ(sum.to_vector<T>(), product_modulo<T>(a, turned, y));
    // A batch that repeats one operand is the products of its items.
    const Tensor many = any_numbers<T>({2, 1, k, n}, 5),
                 batch = matmul(stack({a, a + 1, a * 3}, 0), many);
    ASSERT_EQ(batch.shape(), (Shape{2, 3, m, n}));
    EXPECT_EQ(select(select(batch, 0, 1), 0, 2).contiguous().to_vector<T>(),
              product_modulo<T>(a * 3, reshape(select(many, 0, 1), {k, n}), nothing));
  }
  const Tensor v = any_numbers<T>({77}, 6), row = reshape(v, {1, 77});
  const std::vector<T> squares = product_modulo<T>(row, transpose(row, 0, 1), zeros({}, dtype));
  EXPECT_EQ(dot(v, v).to_vector<T>(), squares);
  EXPECT_EQ(inner(row, row).to_vector<T>(), squares);
  EXPECT_EQ(tensordot(row, row, {1}, {1}).to_vector<T>(), squares);
  EXPECT_EQ(einsum("i,j->", {v, ones({1}, dtype)}).dtype(), dtype);
  EXPECT_EQ(matmul(row, ones({77}, DType::i64)).dtype(), DType::i64);
}

TEST(DTypes, ProductsOfWholeNumbersWrapAround) {
  check_products<int64_t>();
  check_products<int32_t>();
  check_products<uint8_t>();
}

// As torch.pow: integers stay what they are, and wrap around.
TEST(DTypes, PowersOfWholeNumbersAreWhole) {
  const Tensor x = tensor<int64_t>({3, -1, 1, 2, 0});
  const Tensor y = pow(x, tensor<int64_t>({40, -3, -3, -1, 0}));
  EXPECT_EQ(y.to_vector<int64_t>(),
            (std::vector<int64_t>{static_cast<int64_t>(12157665459056928801u), -1, 1, 0, 1}));
  EXPECT_EQ(pow(x, 2).to_vector<int64_t>(), (std::vector<int64_t>{9, 1, 1, 4, 0}));
  EXPECT_EQ(pow(tensor<uint8_t>({3, 16}), 6).to_vector<uint8_t>(), (std::vector<uint8_t>{217, 0}));
  EXPECT_EQ(pow(tensor<uint8_t>({3}), x.to(DType::i32)).dtype(), DType::i32);
  EXPECT_EQ(pow(ones({2}, DType::boolean), 2).dtype(), DType::i64);
  EXPECT_EQ(pow(x, 0.5).dtype(), DType::f32);
  EXPECT_EQ(numeric::message_of<DTypeError>([&] { pow(x, -1); }),
            "pow: the power -1 of a tensor of dtype i64; expected 0 or more; convert it with to()");
}

TEST(DTypes, TensorsAreMadeReadAndPrinted) {
  for (const DType dtype : {DType::f16, DType::i32, DType::u8}) {
    SCOPED_TRACE(name(dtype));
    EXPECT_EQ(values(arange(4, dtype)), (std::vector<double>{0, 1, 2, 3}));
    EXPECT_EQ(values(eye(2, dtype)), (std::vector<double>{1, 0, 0, 1}));
    EXPECT_EQ(full({}, 3, dtype).item(), 3);
    EXPECT_EQ(values(cat({ones({1}, dtype), zeros({2}, dtype)}, 0)),
              (std::vector<double>{1, 0, 0}));
    EXPECT_EQ(values(transpose(reshape(arange(6, dtype), {2, 3}), 0, 1).clone()),
              (std::vector<double>{0, 3, 1, 4, 2, 5}));
    EXPECT_EQ(values(embedding(from_vector(std::vector<int64_t>{2, 0}),
                               reshape(arange(6, dtype), {3, 2}))),
              (std::vector<double>{4, 5, 0, 1}));
    std::ostringstream out;
    out << arange(3, dtype);
    EXPECT_NE(out.str().find(name(dtype)), std::string::npos) << out.str();
  }
  EXPECT_EQ(element_size(DType::f16), 2u);
  EXPECT_EQ(element_size(DType::i32), 4u);
  EXPECT_EQ(element_size(DType::u8), 1u);
  EXPECT_EQ(from_vector(std::vector<int32_t>{1, 2}).to_vector<int32_t>(),
            (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(values(tensor({2.7, -1.2, 300.0}).to(DType::i32)), (std::vector<double>{2, -1, 300}));
}

TEST(DTypes, ProductsOfF16AreRoundedOnce) {
  const Tensor a = numeric::random({33, 70}, 1, DType::f16);
  const Tensor b = numeric::random({70, 19}, 2, DType::f16);
  const Tensor wide = matmul(a.to(DType::f32), b.to(DType::f32));
  numeric::expect_same_bits(matmul(a, b), wide.to(DType::f16));
  const Tensor w = numeric::random({19, 70}, 3, DType::f16);
  const Tensor bias = numeric::random({19}, 4, DType::f16);
  numeric::expect_same_bits(
      linear_activation(a, w, bias, Activation::gelu),
      linear_activation(a.to(DType::f32), w.to(DType::f32), bias.to(DType::f32), Activation::gelu)
          .to(DType::f16));
}

// A number beside a tensor of 16 bits is what it is in f32, as in PyTorch: 0.1 is not rounded
// first.
TEST(DTypes, NumbersBesideHalvesAreNotRounded) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const Tensor x = numeric::random({70, 3}, 1, dtype), wide = x.to(DType::f32);
    numeric::expect_same_bits(x * 0.1, (wide * 0.1).to(dtype));
    numeric::expect_same_bits(0.1 - x, (0.1 - wide).to(dtype));
    numeric::expect_same_bits(transpose(x, 0, 1) / 0.1, (transpose(wide, 0, 1) / 0.1).to(dtype));
    const Tensor tenth = full({3}, 0.1, dtype);
    EXPECT_NE(values(lt(tenth, 0.1))[0], values(gt(tenth, 0.1))[0]);
  }
  EXPECT_EQ(values(lt(tensor<int32_t>({1, -1}), int64_t{1} << 40)), (std::vector<double>{1, 1}));
}

TEST(DTypes, OptimizersRefuseIntegers) {
  const Tensor w = ones({3}, DType::i64), gradient = ones({3}, DType::i64);
  try {
    sweep(RuleUpdate<SgdRule>{{w, gradient}, {.lr = 0.5}});
    FAIL() << "no error";
  } catch (const DTypeError& e) {
    EXPECT_NE(std::string(e.what()).find("i64"), std::string::npos) << e.what();
  }
}

TEST(DTypes, UniformF16StaysBelowItsEnd) {
  for (const auto& [low, high] : {std::pair{0.0, 1.0}, {-1.0, 0.0}, {0.0, 1e-6}, {100.0, 100.25}}) {
    Generator generator(3);
    Tensor x = zeros({100000}, DType::f16);
    uniform_(x, low, high, generator);
    for (const double v : values(x)) {
      ASSERT_GE(v, values(to(full({}, low, DType::f32), DType::f16))[0]);
      ASSERT_LT(v, high);
    }
  }
}

}  // namespace
}  // namespace adjoint
