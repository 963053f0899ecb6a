// Tensors of f16, i32 and u8: conversions, dtypes of results, arithmetic that wraps around.
#include <adjoint/core/attention.h>
#include <adjoint/core/convolution.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include "core/kernels/kernels.h"
#include "core/ops/contract.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::message_of;
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
    // But it is rounded to be compared.
    EXPECT_EQ(values(full({1}, 0.1, dtype) == 0.1)[0], 1);
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

// --- PyTorch's table of results: tests/golden/promotion.py ---

constexpr const char* kLetters = "dfbhliuo";
constexpr DType kOfLetters[] = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                DType::i64, DType::i32, DType::u8,   DType::boolean};

std::map<std::string, std::string> promotion_table() {
  std::ifstream in(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/promotion.tsv");
  std::map<std::string, std::string> table;
  for (std::string line; std::getline(in, line);) {
    const size_t tab = line.find('\t');
    table[line.substr(0, tab)] = line.substr(tab + 1);
  }
  return table;
}

// The 8 dtypes without dimensions, then with one.
std::vector<Tensor> tensors_of_all_dtypes() {
  std::vector<Tensor> all;
  for (const Shape& shape : {Shape{}, Shape{2}}) {
    for (const DType dtype : kOfLetters) all.push_back(ones(shape, dtype));
  }
  return all;
}

using Pairwise = std::function<Tensor(const Tensor&, const Tensor&)>;

char letter_of(const Pairwise& f, const Tensor& a, const Tensor& b) {
  try {
    const DType dtype = f(a, b).dtype();
    return kLetters[std::find(std::begin(kOfLetters), std::end(kOfLetters), dtype) - kOfLetters];
  } catch (const DTypeError&) {
    return '-';
  }
}

std::string described(const Tensor& x) {
  return std::string(name(x.dtype())) + " " + to_string(x.shape());
}

TEST(Promotion, OfTwoTensorsAsPyTorchs) {
  const std::map<std::string, Pairwise> functions = {
      {"result_type", [](const Tensor& a, const Tensor& b) { return zeros({}, promote(a, b)); }},
      {"add", [](const Tensor& a, const Tensor& b) { return a + b; }},
      {"sub", [](const Tensor& a, const Tensor& b) { return a - b; }},
      {"mul", [](const Tensor& a, const Tensor& b) { return a * b; }},
      {"div", [](const Tensor& a, const Tensor& b) { return a / b; }},
      {"pow", [](const Tensor& a, const Tensor& b) { return pow(a, b); }},
      {"maximum", &maximum},
      {"minimum", &minimum},
      {"fmod", [](const Tensor& a, const Tensor& b) { return fmod(a, b); }},
      {"remainder", [](const Tensor& a, const Tensor& b) { return remainder(a, b); }},
      {"floor_divide", [](const Tensor& a, const Tensor& b) { return floor_divide(a, b); }},
      {"copysign", [](const Tensor& a, const Tensor& b) { return copysign(a, b); }},
      {"atan2", &atan2},
      {"xlogy", [](const Tensor& a, const Tensor& b) { return xlogy(a, b); }},
      {"bitwise_and", [](const Tensor& a, const Tensor& b) { return bitwise_and(a, b); }},
      {"bitwise_left_shift",
       [](const Tensor& a, const Tensor& b) { return bitwise_left_shift(a, b); }},
      {"clamp_min", [](const Tensor& a, const Tensor& b) { return clamp_min(a, b); }},
      {"where",
       [](const Tensor& a, const Tensor& b) { return where(ones({}, DType::boolean), a, b); }},
      {"lerp", [](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.5); }},
      {"lerp weight", [](const Tensor& a, const Tensor& b) { return lerp(a, a, b); }},
      {"addcmul", [](const Tensor& a, const Tensor& b) { return addcmul(a, b, b); }},
      {"addcdiv", [](const Tensor& a, const Tensor& b) { return addcdiv(a, b, b); }},
  };
  const std::map<std::string, std::string> table = promotion_table();
  const std::vector<Tensor> all = tensors_of_all_dtypes();
  for (const auto& [function, f] : functions) {
    const std::string& expected = table.at(function);
    ASSERT_EQ(expected.size(), all.size() * all.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const Tensor &a = all[i / all.size()], &b = all[i % all.size()];
      EXPECT_EQ(letter_of(f, a, b), expected[i])
          << function << " of " << described(a) << " and " << described(b);
    }
  }
}

TEST(Promotion, OfThreeTensorsAsPyTorchs) {
  const std::string expected = promotion_table().at("result_type 3");
  const std::vector<Tensor> all = tensors_of_all_dtypes();
  ASSERT_EQ(expected.size(), all.size() * all.size() * all.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const Tensor& x = all[i / all.size() / all.size()];
    const Tensor &a = all[i / all.size() % all.size()], &b = all[i % all.size()];
    const auto f = [&x](const Tensor& p, const Tensor& q) { return addcmul(x, p, q); };
    EXPECT_EQ(letter_of(f, a, b), expected[i])
        << described(x) << ", " << described(a) << ", " << described(b);
  }
}

// Products of matrices take one dtype, as PyTorch's, but for f32, bf16 and f16, which mix, and
// convolutions of whole numbers, which nobody misses.
TEST(Promotion, ProductsTakeOneDType) {
  const auto square = [](const Tensor& x) { return expand(x, {2, 2}); };
  const auto batch = [](const Tensor& x) { return expand(x, {1, 2, 2}); };
  const auto signal = [](const Tensor& x) { return reshape(x, {1, 1, 2}); };
  const std::map<std::string, Pairwise> functions = {
      {"dot", &dot},
      {"inner", &inner},
      {"outer", &outer},
      {"matmul", [=](const Tensor& a, const Tensor& b) { return matmul(square(a), square(b)); }},
      {"mv", [=](const Tensor& a, const Tensor& b) { return mv(square(a), b); }},
      {"bmm", [=](const Tensor& a, const Tensor& b) { return bmm(batch(a), batch(b)); }},
      {"linear", [=](const Tensor& a, const Tensor& b) { return linear(square(a), square(b)); }},
      {"linear bias",
       [=](const Tensor& a, const Tensor& b) { return linear(square(a), square(a), b); }},
      {"addmm", [=](const Tensor& a, const Tensor& b) { return addmm(b, square(a), square(a)); }},
      {"baddbmm",
       [=](const Tensor& a, const Tensor& b) { return baddbmm(batch(b), batch(a), batch(a)); }},
      {"tensordot", [](const Tensor& a, const Tensor& b) { return tensordot(a, b, 1); }},
      {"einsum",
       [=](const Tensor& a, const Tensor& b) {
         return einsum("ij,jk->ik", {square(a), square(b)});
       }},
      {"conv1d", [=](const Tensor& a, const Tensor& b) { return conv1d(signal(a), signal(b)); }},
      {"conv1d bias",
       [=](const Tensor& a, const Tensor& b) {
         return conv1d(batch(a), expand(a, {2, 2, 2}), b);
       }},
      {"attention",
       [=](const Tensor& a, const Tensor& b) {
         return scaled_dot_product_attention(batch(a), batch(b), batch(a));
       }},
  };
  const std::map<std::string, std::string> table = promotion_table();
  const auto mixes = [](DType dtype) { return dtype == DType::f32 || is_half(dtype); };
  for (const auto& [function, f] : functions) {
    for (size_t i = 0; i < 64; ++i) {
      const Tensor a = ones({2}, kOfLetters[i / 8]), b = ones({2}, kOfLetters[i % 8]);
      char expected = table.at(function)[i];
      if (mixes(a.dtype()) && mixes(b.dtype())) expected = table.at("outer")[i];
      if (function.rfind("conv", 0) == 0 && !is_floating_point(a.dtype())) expected = '-';
      EXPECT_EQ(letter_of(f, a, b), expected)
          << function << " of " << described(a) << " and " << described(b);
    }
  }
}

// What PyTorch computes: 0-dimensional tensors are compared in the dtype of the others, and f32
// ones multiply bf16 without being rounded.
TEST(Promotion, ValuesOfTensorsWithoutDimensions) {
  const Tensor x = from_vector(std::vector<float>{0.1f, 0.3f}), half = x.to(DType::bf16);
  const Tensor tenth = scalar(0.1, DType::f64), factor = scalar(0.502953125, DType::f64);
  EXPECT_EQ(values(x == tenth), (std::vector<double>{1, 0}));
  EXPECT_EQ(values(half == tenth), (std::vector<double>{1, 0}));
  EXPECT_EQ(values(half == 0.1), (std::vector<double>{1, 0}));
  EXPECT_EQ(values(half < 0.1), (std::vector<double>{0, 0}));
  for (const DType dtype : {DType::f32, DType::f64}) {
    // 0.1 and 0.3 of bf16 are 0.10009765625 and 0.30078125; the products are rounded to 8 bits.
    EXPECT_EQ(values(half * factor.to(dtype)), (std::vector<double>{0.05029296875, 0.1513671875}));
    EXPECT_EQ(values(factor.to(dtype) * half), values(half * factor.to(dtype)));
    EXPECT_EQ(values(factor.to(dtype) - half), values(0.502953125 - half));
  }
  // The gradient of the number is of its own dtype.
  const Tensor w = scalar(0.75, DType::f64).requires_grad_();
  sum(half * w).backward();
  EXPECT_EQ(w.grad().dtype(), DType::f64);
  EXPECT_NEAR(w.grad().item(), 0.40087890625, 0x1p-9);
}

TEST(Promotion, BoolsAreNotSubtractedNorWholeNumbersDividedByZero) {
  const Tensor yes = ones({2}, DType::boolean), x = ones({2});
  EXPECT_EQ(message_of<DTypeError>([&] { sub(yes, yes); }),
            "sub: operands of bool and bool; expected numbers; logical_not(x) inverts a mask, "
            "logical_xor(a, b) tells where two differ");
  EXPECT_THROW(sub(x, yes), DTypeError);
  EXPECT_THROW(1 - yes, DTypeError);
  EXPECT_THROW(yes - 1.5, DTypeError);
  EXPECT_THROW(sub_(x, yes), DTypeError);
  EXPECT_EQ(message_of<DTypeError>([&] { neg(yes); }),
            "neg: a tensor of bool; expected numbers; logical_not(x) inverts a mask");
  const Tensor whole = arange(3) - 1, none = zeros({0}, DType::i64);
  EXPECT_EQ(message_of<Error>([&] { floor_divide(whole, whole); }),
            "floor_divide: whole numbers divided by zero: a divisor of i64 and shape (3,); "
            "expected no 0 in it; to(x, DType::f32) divides to infinity");
  EXPECT_THROW(remainder(whole, 0), Error);
  EXPECT_THROW(fmod(whole.to(DType::u8), zeros({3}, DType::u8)), Error);
  EXPECT_EQ(floor_divide(none, 0).numel(), 0);
  EXPECT_EQ(floor_divide(none, zeros({1}, DType::i64)).numel(), 0);
  EXPECT_TRUE(std::isinf(values(floor_divide(x, 0))[0]));
}

// As torch.full; what u8 takes below 0 wraps around.
TEST(DTypes, NumbersThatDoNotFitAreRefused) {
  struct Case {
    DType dtype;
    Scalar value;
    bool fits;
  };
  const double inf = HUGE_VAL, nan = std::nan("");
  const int64_t most = std::numeric_limits<int64_t>::max();
  for (const Case& c : {Case{DType::u8, 300, false},
                        {DType::u8, 255, true},
                        {DType::u8, 255.5, true},
                        {DType::u8, 256, false},
                        {DType::u8, -1, true},
                        {DType::u8, -255, true},
                        {DType::u8, -256, false},
                        {DType::u8, nan, false},
                        {DType::i32, 2147483647, true},
                        {DType::i32, int64_t{1} << 31, false},
                        {DType::i32, -2147483648.0, true},
                        {DType::i32, 3e10, false},
                        {DType::i64, most, true},
                        {DType::i64, 1e19, false},
                        {DType::i64, inf, false},
                        {DType::boolean, 3, true},
                        {DType::f32, 1e300, false},
                        {DType::f32, inf, true},
                        {DType::f32, nan, true},
                        {DType::bf16, 1e39, false},
                        {DType::bf16, -inf, true},
                        {DType::f16, 65504, true},
                        {DType::f16, 65519, false},
                        {DType::f64, 1e300, true}}) {
    const Tensor x = zeros({2}, c.dtype), mask = ones({2}, DType::boolean);
    const std::function<void()> calls[] = {
        [&] { full({2}, c.value, c.dtype); }, [&] { full_like(x, c.value); },
        [&] { scalar(c.value, c.dtype); }, [&] { fill_(x, c.value); },
        [&] { masked_fill(x, mask, c.value); }};
    for (const auto& call : calls) {
      if (c.fits) {
        EXPECT_NO_THROW(call()) << c.dtype << " " << c.value.real();
      } else {
        EXPECT_THROW(call(), ConfigError) << c.dtype << " " << c.value.real();
      }
    }
  }
  EXPECT_EQ(values(full({1}, -1, DType::u8)), (std::vector<double>{255}));
  EXPECT_EQ(
      message_of<ConfigError>([] { full({2}, 300, DType::u8); }),
      "full: the value 300 for elements of u8; expected a number that they hold, at most 255");
}

}  // namespace
}  // namespace adjoint
