// The types of 16 bits, bfloat16 and float16: every number of theirs, and how others are rounded.
#include "core/kernels/kernels.h"
#include "core/ops/loops.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

float from_word(uint32_t word) {
  float x;
  std::memcpy(&x, &word, sizeof(x));
  return x;
}

struct BFloat16 {
  using Type = bfloat16;
  static constexpr int kExponentBits = 8;
  static constexpr kernels::Place kPlace = kernels::kBf16;

  // Floats on and beside every number and every middle between two.
  static std::vector<float> boundaries() {
    std::vector<float> result;
    for (uint32_t upper = 0; upper < 0x10000; ++upper) {
      for (const uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
        result.push_back(from_word(upper << 16 | lower));
      }
    }
    return result;
  }
  static void single_numbers() {
    EXPECT_EQ(bfloat16(1e300).bits, 0x7f80);
    EXPECT_EQ(bfloat16(-1e-300).bits, 0x8000);
    EXPECT_EQ(bfloat16(int64_t{257}).bits, bfloat16(256.0f).bits);
  }
};

struct Float16 {
  using Type = float16;
  static constexpr int kExponentBits = 5;
  static constexpr kernels::Place kPlace = kernels::kF16;

  static std::vector<float> boundaries();
  static void single_numbers() {
    EXPECT_EQ(float16(int64_t{2049}).bits, float16(2048.0f).bits);
    EXPECT_EQ(float16(int64_t{1} << 62).bits, 0x7c00);
  }
};

template <class Format>
class HalfTypes : public testing::Test {
 public:
  using Number = typename Format::Type;
  static constexpr int kFractionBits = 15 - Format::kExponentBits;
  static constexpr uint32_t kFraction = (1u << kFractionBits) - 1;
  static constexpr uint32_t kInfinity = 0x7fff & ~kFraction;

  // The number that 16 bits stand for, with the next power of two for infinity, from the
  // definition.
  static double value_of(uint32_t bits) {
    constexpr int kBias = (1 << (Format::kExponentBits - 1)) - 1;
    const int exponent = static_cast<int>((bits & 0x7fff) >> kFractionBits);
    const double fraction = std::ldexp(static_cast<double>(bits & kFraction), -kFractionBits);
    const double size = exponent == 0 ? std::ldexp(fraction, 1 - kBias)
                                      : std::ldexp(1 + fraction, exponent - kBias);
    return (bits & 0x8000) != 0 ? -size : size;
  }

  // The bits of the nearest number, ties to even, by distances.
  static uint16_t nearest(double x) {
    const uint32_t sign = std::signbit(x) ? 0x8000 : 0;
    const double size = std::abs(x);
    uint32_t low = 0, high = kInfinity;  // value_of(low) <= size < value_of(high)
    if (size >= value_of(high)) return static_cast<uint16_t>(sign | high);
    while (high - low > 1) {
      const uint32_t middle = (low + high) / 2;
      (value_of(middle) <= size ? low : high) = middle;
    }
    const double below = size - value_of(low), above = value_of(high) - size;
    const bool up = above < below || (above == below && low % 2 == 1);
    return static_cast<uint16_t>(sign | (up ? high : low));
  }

  static bool is_nan(uint32_t bits) { return (bits & 0x7fff) > kInfinity; }
};

// Floats on and beside every number, every middle between two, and what is out of range.
std::vector<float> Float16::boundaries() {
  using Of = HalfTypes<Float16>;
  std::vector<float> result = {HUGE_VALF, -HUGE_VALF, NAN, 1e30f, -1e-30f, 65519.0f, 65520.0f};
  for (uint32_t bits = 0; bits < Of::kInfinity; ++bits) {
    const double low = Of::value_of(bits), middle = (low + Of::value_of(bits + 1)) / 2;
    for (const double x : {low, middle}) {
      const auto f = static_cast<float>(x);
      for (const float near : {f, std::nextafter(f, HUGE_VALF), std::nextafter(f, -HUGE_VALF)}) {
        result.push_back(near);
        result.push_back(-near);
      }
    }
  }
  return result;
}

using Formats = testing::Types<BFloat16, Float16>;
TYPED_TEST_SUITE(HalfTypes, Formats);

TYPED_TEST(HalfTypes, EveryNumberSurvivesWideningAndNarrowing) {
  using T = typename TestFixture::Number;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    T x;
    x.bits = static_cast<uint16_t>(bits);
    const auto wide = static_cast<float>(x);
    if (this->is_nan(bits)) {
      ASSERT_TRUE(std::isnan(wide)) << bits;
      ASSERT_TRUE(this->is_nan(T(wide).bits)) << bits;
      ASSERT_TRUE(this->is_nan(T(static_cast<double>(wide)).bits)) << bits;
      continue;
    }
    const bool infinite = (bits & 0x7fff) == this->kInfinity;
    const bool same = static_cast<double>(wide) == this->value_of(bits);
    ASSERT_TRUE(infinite ? std::isinf(wide) : same) << bits;
    ASSERT_EQ(T(wide).bits, bits);
    ASSERT_EQ(T(static_cast<double>(wide)).bits, bits);
  }
}

TYPED_TEST(HalfTypes, FloatsAreRoundedToTheNearestOnEveryInstructionSet) {
  using T = typename TestFixture::Number;
  const std::vector<float> x = TypeParam::boundaries();
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(isas[i]);
    const kernels::ElementwiseTable& table = kernels::kernels_for(isas[i]).elementwise;
    std::vector<T> y(x.size());
    std::vector<float> back(x.size());
    // Lengths that leave tails of every kind.
    for (size_t from = 0, n = 1; from < x.size(); from += n, n = n % 1031 + 37) {
      const auto size = static_cast<int64_t>(std::min(n, x.size() - from));
      const kernels::Loop<2> narrow{
          1, {size}, {y.data() + from, const_cast<float*>(x.data()) + from}, {{1}, {1}}, {}};
      table.copy[kernels::kF32][TypeParam::kPlace](KernelScope(), narrow);
      const kernels::Loop<2> widen{
          1, {size}, {back.data() + from, y.data() + from}, {{1}, {1}}, {}};
      table.copy[TypeParam::kPlace][kernels::kF32](KernelScope(), widen);
    }
    for (size_t j = 0; j < x.size(); ++j) {
      ASSERT_EQ(y[j].bits, T(x[j]).bits) << x[j];
      if (std::isnan(x[j])) {
        ASSERT_TRUE(this->is_nan(y[j].bits) && std::isnan(back[j])) << j;
        continue;
      }
      ASSERT_EQ(y[j].bits, this->nearest(x[j])) << x[j];
      const auto wide = static_cast<float>(y[j]);
      ASSERT_EQ(std::memcmp(&back[j], &wide, sizeof(wide)), 0) << x[j];
    }
  }
}

TYPED_TEST(HalfTypes, DoublesAreRoundedOnce) {
  using T = typename TestFixture::Number;
  for (uint32_t bits = 0; bits < this->kInfinity; ++bits) {
    const double middle = (this->value_of(bits) + this->value_of(bits + 1)) / 2;
    // So near to the middle that f32 would round to it, and then to the even neighbour.
    for (const double x : {middle, middle * (1 - 0x1p-40), middle * (1 + 0x1p-40)}) {
      ASSERT_EQ(T(x).bits, this->nearest(x)) << bits;
      ASSERT_EQ(T(-x).bits, this->nearest(-x)) << bits;
    }
  }
  TypeParam::single_numbers();
}

}  // namespace
}  // namespace adjoint
