// Tensors of bf16: conversions, dtypes of results, printing.
#include <adjoint/core/inplace.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/random.h>

#include "core/kernels/kernels.h"
#include "core/ops/loops.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::values;

float from_word(uint32_t word) {
  float x;
  std::memcpy(&x, &word, sizeof(x));
  return x;
}

// The number that 16 bits stand for, with 2^128 for infinity, from the definition.
double value_of(uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 7 & 0xff);
  const double fraction = static_cast<double>(bits & 0x7f) / 128;
  const double size =
      exponent == 0 ? std::ldexp(fraction, -126) : std::ldexp(1 + fraction, exponent - 127);
  return (bits & 0x8000) != 0 ? -size : size;
}

// The bits of the nearest number, ties to even, by distances.
uint16_t nearest(double x) {
  const uint32_t sign = std::signbit(x) ? 0x8000 : 0;
  const double size = std::abs(x);
  uint32_t low = 0, high = 0x7f80;  // value_of(low) <= size < value_of(high)
  if (size >= value_of(high)) return static_cast<uint16_t>(sign | high);
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    (value_of(middle) <= size ? low : high) = middle;
  }
  const double below = size - value_of(low), above = value_of(high) - size;
  const bool up = above < below || (above == below && low % 2 == 1);
  return static_cast<uint16_t>(sign | (up ? high : low));
}

bool is_nan(uint32_t bits) { return (bits & 0x7fff) > 0x7f80; }

TEST(BFloat16, EveryNumberSurvivesWideningAndNarrowing) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    bfloat16 x;
    x.bits = static_cast<uint16_t>(bits);
    const auto wide = static_cast<float>(x);
    if (is_nan(bits)) {
      ASSERT_TRUE(std::isnan(wide)) << bits;
      ASSERT_TRUE(is_nan(bfloat16(wide).bits)) << bits;
      ASSERT_TRUE(is_nan(bfloat16(static_cast<double>(wide)).bits)) << bits;
      continue;
    }
    const bool infinite = (bits & 0x7fff) == 0x7f80;
    ASSERT_TRUE(infinite ? std::isinf(wide) : static_cast<double>(wide) == value_of(bits)) << bits;
    ASSERT_EQ(bfloat16(wide).bits, bits);
    ASSERT_EQ(bfloat16(static_cast<double>(wide)).bits, bits);
  }
}

// Floats on and beside every number and every middle between two.
std::vector<float> boundaries() {
  std::vector<float> result;
  for (uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      result.push_back(from_word(upper << 16 | lower));
    }
  }
  return result;
}

TEST(BFloat16, FloatsAreRoundedToTheNearestOnEveryInstructionSet) {
  const std::vector<float> x = boundaries();
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(isas[i]);
    const kernels::ElementwiseTable& table = kernels::kernels_for(isas[i]).elementwise;
    std::vector<bfloat16> y(x.size());
    std::vector<float> back(x.size());
    // Lengths that leave tails of every kind.
    for (size_t from = 0, n = 1; from < x.size(); from += n, n = n % 1031 + 37) {
      const auto size = static_cast<int64_t>(std::min(n, x.size() - from));
      const kernels::Loop<2> narrow{
          1, {size}, {y.data() + from, const_cast<float*>(x.data()) + from}, {{1}, {1}}, {}};
      table.copy[kernels::kF32][kernels::kBf16](KernelScope(), narrow);
      const kernels::Loop<2> widen{
          1, {size}, {back.data() + from, y.data() + from}, {{1}, {1}}, {}};
      table.copy[kernels::kBf16][kernels::kF32](KernelScope(), widen);
    }
    for (size_t j = 0; j < x.size(); ++j) {
      ASSERT_EQ(y[j].bits, bfloat16(x[j]).bits) << x[j];
      if (std::isnan(x[j])) {
        ASSERT_TRUE(is_nan(y[j].bits) && std::isnan(back[j])) << j;
        continue;
      }
      ASSERT_EQ(y[j].bits, nearest(x[j])) << x[j];
      ASSERT_EQ(std::memcmp(&back[j], std::vector<float>{static_cast<float>(y[j])}.data(), 4), 0);
    }
  }
}

TEST(BFloat16, DoublesAreRoundedOnce) {
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const double middle = (value_of(bits) + value_of(bits + 1)) / 2;
    // So near to the middle that f32 would round to it, and then to the even neighbour.
    for (const double x : {middle, middle * (1 - 0x1p-40), middle * (1 + 0x1p-40)}) {
      ASSERT_EQ(bfloat16(x).bits, nearest(x)) << bits;
      ASSERT_EQ(bfloat16(-x).bits, nearest(-x)) << bits;
    }
  }
  EXPECT_EQ(bfloat16(1e300).bits, 0x7f80);
  EXPECT_EQ(bfloat16(-1e-300).bits, 0x8000);
  EXPECT_EQ(bfloat16(int64_t{257}).bits, bfloat16(256.0f).bits);
}

TEST(BFloat16, ResultsHavePyTorchsDtypes) {
  const Tensor b = ones({2}, DType::bf16), f = ones({2}), d = ones({2}, DType::f64);
  const Tensor i = ones({2}, DType::i64), t = ones({2}, DType::boolean);
  EXPECT_EQ((b + f).dtype(), DType::f32);
  EXPECT_EQ((b * d).dtype(), DType::f64);
  EXPECT_EQ((b + i).dtype(), DType::bf16);
  EXPECT_EQ((t * b).dtype(), DType::bf16);
  EXPECT_EQ((b * 2.5).dtype(), DType::bf16);
  EXPECT_EQ((b + 1).dtype(), DType::bf16);
  EXPECT_EQ(pow(b, 2.0).dtype(), DType::bf16);
  EXPECT_EQ((b == f).dtype(), DType::boolean);
  EXPECT_EQ(sum(b).dtype(), DType::bf16);
  EXPECT_EQ(argmax(b, 0).dtype(), DType::i64);
  const Tensor parts[] = {b, f};
  EXPECT_EQ(cat(parts, 0).dtype(), DType::f32);
  EXPECT_EQ(matmul(b, b).dtype(), DType::bf16);
  EXPECT_EQ(matmul(b, f).dtype(), DType::f32);
  EXPECT_EQ(layer_norm(b, {2}, f, f).dtype(), DType::bf16);
  EXPECT_EQ(rms_norm(b, {2}, f).dtype(), DType::bf16);
  EXPECT_EQ(cross_entropy(b, scalar(1, DType::i64)).dtype(), DType::bf16);
  EXPECT_EQ(element_size(DType::bf16), 2u);
  EXPECT_STREQ(name(DType::bf16), "bf16");
}

TEST(BFloat16, ElementsAreReadAndPrinted) {
  const Tensor x = tensor({1.5, 2.25, -3.0}).to(DType::bf16);
  EXPECT_EQ(to_string(x), "tensor([ 1.5000,  2.2500, -3.0000], dtype=bf16)");
  EXPECT_EQ(x.data<bfloat16>()[1].bits, 0x4010);
  EXPECT_EQ(x.to_vector<bfloat16>().size(), 3u);
  EXPECT_EQ(full({}, 2.5, DType::bf16).item(), 2.5);
  EXPECT_EQ(values(arange(3, DType::bf16)), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(values(eye(2, DType::bf16)), (std::vector<double>{1, 0, 0, 1}));
  EXPECT_EQ(from_vector(x.to_vector<bfloat16>()).dtype(), DType::bf16);
  EXPECT_EQ(numeric::message_of<DTypeError>([&] { static_cast<void>(x.data<float>()); }),
            "data: wrong type: f32 for a tensor of bf16; expected bf16");
  EXPECT_FALSE(all_finite(tensor({1.0, HUGE_VAL}).to(DType::bf16)));
}

// Sums are kept in f32: in bf16, 256 + 1 is 256.
TEST(BFloat16, SumsAreOfF32) {
  const Tensor x = ones({3, 4000}, DType::bf16);
  EXPECT_EQ(values(sum(x, {1})), (std::vector<double>(3, 4000)));
  EXPECT_EQ(values(mean(x)), (std::vector<double>{1}));
  EXPECT_EQ(values(var(x * 3.0, {1})), (std::vector<double>(3, 0)));
  const Tensor table = zeros({2, 3}, DType::bf16).requires_grad_();
  embedding(zeros({1000}, DType::i64), table).sum().backward();
  EXPECT_EQ(values(table.grad()), (std::vector<double>{1000, 1000, 1000, 0, 0, 0}));
}

TEST(BFloat16, WholeNumbersAreRoundedOnce) {
  constexpr int64_t kBig = int64_t{1} << 62, kHalf = int64_t{1} << 54;
  EXPECT_EQ(static_cast<double>(bfloat16(kBig + kHalf)), std::ldexp(1, 62));  // a tie: to even
  EXPECT_EQ(static_cast<double>(bfloat16(kBig + kHalf + 1)), std::ldexp(129, 55));
  EXPECT_EQ(static_cast<double>(bfloat16(-kBig - kHalf - 1)), -std::ldexp(129, 55));
  EXPECT_EQ(static_cast<double>(bfloat16(-kBig - kHalf + 1)), -std::ldexp(1, 62));
  EXPECT_EQ(static_cast<double>(bfloat16(int64_t{-257})), -256);
}

TEST(BFloat16, RandomNumbersStayInTheirRange) {
  Generator generator(5);
  const std::vector<double> u = values(rand({100000}, DType::bf16, generator));
  double sum = 0;
  for (const double v : u) {
    ASSERT_TRUE(v >= 0 && v < 1) << v;
    sum += v;
  }
  EXPECT_NEAR(sum / 1e5, 127.5 / 256, 5 * std::sqrt(1.0 / 12 / 1e5));
  // Where the last step would round to the end that is left out.
  for (const auto& [low, high] : {std::pair{1.0, 2.0}, {-3.0, -1.0}, {-1.0, 0.0}, {0.3, 0.7}}) {
    Tensor x = zeros({100000}, DType::bf16);
    uniform_(x, low, high, generator);
    const double least = values(to(full({}, low, DType::f32), DType::bf16))[0];
    for (const double v : values(x)) {
      ASSERT_TRUE(v >= std::min(low, least) && v < high) << v << " of " << low << ", " << high;
    }
  }
  Generator again(7), same(7);
  numeric::expect_same_bits(randn({1001}, DType::bf16, again),
                            randn({1001}, DType::f32, same).to(DType::bf16));
}

// A parameter in bf16 has moments in f32 and is rounded once an update.
TEST(BFloat16, ParametersAreUpdatedInF32) {
  const Tensor start = numeric::random({1003}, 1, DType::bf16),
               gradient = numeric::random({1003}, 2, DType::bf16);
  Tensor narrow = start.clone(), wide = start.to(DType::f32);
  Tensor m = zeros({1003}), v = zeros({1003}), m32 = zeros({1003}), v32 = zeros({1003});
  const Tensor none, g32 = gradient.to(DType::f32);
  const AdamSweep options{.lr = 0.1, .weight_decay = 0.1, .decoupled_decay = true};
  const AdamUpdate updates[] = {{narrow, gradient, m, v, none, options},
                                {wide, g32, m32, v32, none, options}};
  adam_sweep(updates);
  numeric::expect_same_bits(narrow, wide.to(DType::bf16));
  numeric::expect_same_bits(m, m32);
  numeric::expect_same_bits(v, v32);
  const SgdUpdate steps[] = {{narrow, gradient, m, {.lr = 0.5, .momentum = 0.9}}};
  wide = narrow.to(DType::f32);
  const SgdUpdate wide_steps[] = {{wide, g32, m32, {.lr = 0.5, .momentum = 0.9}}};
  sgd_sweep(steps);
  sgd_sweep(wide_steps);
  numeric::expect_same_bits(narrow, wide.to(DType::bf16));
  const Tensor both[] = {gradient, g32};
  const Tensor one[] = {g32};
  EXPECT_EQ(sum_of_squares(both), 2 * sum_of_squares(one));
}

}  // namespace
}  // namespace adjoint
