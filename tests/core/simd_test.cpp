// core/simd of every instruction set that this machine runs, against the C library in long double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include <adjoint/core/error.h>
#include "core/kernels/kernels.h"
#include "core/tensor/thread_pool.h"
#include "tests/core/simd_probe.h"

namespace adjoint::kernels {
namespace {

struct Isa {
  std::string name;
  const SimdProbe* probe;
};

std::vector<Isa> isas() {
  int count = 0;
  const char* const* names = runnable_isas(&count);
  std::vector<Isa> result;
  for (int i = 0; i < count; ++i) {
    const std::string name = names[i];
    const SimdProbe* probe = &scalar::simd_probe_table;
#if defined(__x86_64__)
    if (name == "avx2") probe = &avx2::simd_probe_table;
    if (name == "avx512") probe = &avx512::simd_probe_table;
    if (name == "amx") continue;  // its vectors are AVX-512's
#elif defined(__aarch64__)
    if (name == "neon") probe = &neon::simd_probe_table;
#endif
    result.push_back({name, probe});
  }
  return result;
}

// The distance of `got` from `want` in units of the last place of `want` as a float; 0 for two NaN,
// two equal infinities, and results that a kernel may flush.
double ulps(float got, long double want) {
  const float rounded = static_cast<float>(want);
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e30;
  if (std::isinf(rounded)) return got == rounded ? 0 : 1e30;
  if (std::fabs(rounded) < std::numeric_limits<float>::min()) {
    return std::fabs(got) <= 1.001f * std::numeric_limits<float>::min() ? 0 : 1e30;
  }
  if (std::isnan(got) || std::isinf(got)) return 1e30;
  int exponent;
  std::frexp(rounded, &exponent);
  return static_cast<double>(std::fabs(got - want) / std::ldexp(1.0L, exponent - 24));
}

struct Function {
  SimdUnary op;
  const char* name;
  long double (*reference)(long double);
  double limit;         // ulp, as core/simd/math.h says it
  double scalar_limit;  // where that differs: 0 if it does not
  double of_x;          // or at most this share of |x|
};

long double ref_sigmoid(long double x) { return 1.0L / (1.0L + std::exp(-x)); }
long double ref_ndtr(long double x) { return 0.5L * std::erfc(-x / std::sqrt(2.0L)); }
long double ref_gelu_tanh(long double x) {
  const long double u = 1.5957691216057308L * x * (1 + 0.044715L * x * x);
  return x / (1.0L + std::exp(-u));
}

long double ref_softplus(long double x) {
  return std::max(x, 0.0L) + std::log1p(std::exp(-std::abs(x)));
}
// n / (n + 2) is tanh(softplus(x)) for n = exp(x) (exp(x) + 2).
long double ref_mish(long double x) {
  const long double e = std::exp(std::min(x, 50.0L)), n = e * (e + 2);
  return x * (n / (n + 2));
}
// By the series where x - tanh(x) cancels.
long double ref_tanhshrink(long double x) {
  if (!(std::fabs(x) < 0.03L)) return x - std::tanh(x);
  const long double p[] = {1.0L / 3,      -2.0L / 15,       17.0L / 315,
                           -62.0L / 2835, 1382.0L / 155925, -21844.0L / 6081075};
  long double sum = 0;
  for (int i = 5; i >= 0; --i) sum = sum * x * x + p[i];
  return x * x * x * sum;
}

// Of the product x s the factor s is flushed where it is denormal.
constexpr double kFlushed = 1.2e-38;

const Function kFunctions[] = {
    {SimdUnary::exp, "exp", [](long double x) { return std::exp(x); }, 1.1, 0, 0},
    {SimdUnary::expm1, "expm1", [](long double x) { return std::expm1(x); }, 2, 0, 0},
    {SimdUnary::log, "log", [](long double x) { return std::log(x); }, 1, 0, 0},
    {SimdUnary::log1p, "log1p", [](long double x) { return std::log1p(x); }, 2, 0, 0},
    {SimdUnary::tanh, "tanh", [](long double x) { return std::tanh(x); }, 2, 0, 0},
    {SimdUnary::sigmoid, "sigmoid", ref_sigmoid, 1, 0, 0},
    {SimdUnary::erf, "erf", [](long double x) { return std::erf(x); }, 1, 1.5, 0},
    {SimdUnary::erfc, "erfc", [](long double x) { return std::erfc(x); }, 2.1, 5, 0},
    {SimdUnary::ndtr, "ndtr", ref_ndtr, 2.5, 5, 0},
    {SimdUnary::gelu_erf, "gelu_erf", [](long double x) { return x * ref_ndtr(x); }, 2.8, 5.5,
     kFlushed},
    {SimdUnary::gelu_tanh, "gelu_tanh", ref_gelu_tanh, 2.5, 0, 0x1p-23},
    {SimdUnary::silu, "silu", [](long double x) { return x * ref_sigmoid(x); }, 1.5, 2, kFlushed},
    {SimdUnary::softplus, "softplus", ref_softplus, 2, 0, 0},
    {SimdUnary::mish, "mish", ref_mish, 1.8, 0, kFlushed},
    {SimdUnary::tanhshrink, "tanhshrink", ref_tanhshrink, 2, 3, 1e-28},
    {SimdUnary::sin, "sin", [](long double x) { return std::sin(x); }, 2, 0, 0},
    {SimdUnary::cos, "cos", [](long double x) { return std::cos(x); }, 2, 0, 0},
    {SimdUnary::sqrt, "sqrt", [](long double x) { return std::sqrt(x); }, 0.5001, 0, 0},
    {SimdUnary::floor, "floor", [](long double x) { return std::floor(x); }, 0, 0, 0},
    {SimdUnary::round_even, "round_even", [](long double x) { return std::rint(x); }, 0, 0, 0},
    {SimdUnary::trunc, "trunc", [](long double x) { return std::trunc(x); }, 0, 0, 0},
    {SimdUnary::abs, "abs", [](long double x) { return std::fabs(x); }, 0, 0, 0},
    {SimdUnary::neg, "neg", [](long double x) { return -x; }, 0, 0, 0},
};

// Every float's pattern with a stride that meets all exponents and signs, and dense ranges.
std::vector<float> samples() {
  std::vector<float> x;
  for (uint64_t bits = 0; bits <= 0xffffffffu; bits += 50021) {
    const auto word = static_cast<uint32_t>(bits);
    float value;
    std::memcpy(&value, &word, sizeof(value));
    x.push_back(value);
  }
  for (int i = -60000; i <= 60000; ++i) x.push_back(static_cast<float>(i) * 0.0017f);
  for (int i = -20000; i <= 20000; ++i) x.push_back(static_cast<float>(i) * 0.0001f);
  const float infinity = std::numeric_limits<float>::infinity();
  for (float special :
       {0.0f,      -0.0f,     1.0f,         -1.0f,  0.5f,    1.5f,          2.5f,
        88.72283f, 88.72284f, -87.33654f,   -87.4f, -103.9f, -104.5f,       0.92f,
        0.625f,    8192.0f,   8193.0f,      1e30f,  -1e30f,  3.4028235e38f, 1.17549435e-38f,
        infinity,  -infinity, std::nanf("")}) {
    x.push_back(special);
  }
  return x;
}

// How a failing parameter is printed.
void PrintTo(const Function& f, std::ostream* out) { *out << f.name; }

struct Worst {
  double error = 0;
  float at = 0, value = 0;
};

// The largest error of f at the x that are no denormal numbers, which may count as zero.
void find_worst(const Isa& isa, const Function& f, const std::vector<float>& x,
                const std::vector<long double>& want, Worst& worst) {
  std::vector<float> y(x.size());
  {
    const KernelScope flushing;  // as kernels run
    isa.probe->f32.unary(f.op, x.data(), y.data(), static_cast<int64_t>(x.size()));
  }
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] != 0 && std::fabs(x[i]) < std::numeric_limits<float>::min()) continue;
    if (std::fabs(y[i] - want[i]) <= f.of_x * std::fabs(x[i])) continue;
    const double error = ulps(y[i], want[i]);
    if (error > worst.error) worst = {error, x[i], y[i]};
  }
}

void expect_within(const Isa& isa, const Function& f, const Worst& worst) {
  const double limit = isa.name == "scalar" && f.scalar_limit != 0 ? f.scalar_limit : f.limit;
  EXPECT_LE(worst.error, limit) << isa.name << ' ' << f.name << '(' << worst.at
                                << ") = " << worst.value;
}

std::vector<long double> references(const Function& f, const std::vector<float>& x) {
  std::vector<long double> want;
  for (float v : x) want.push_back(f.reference(static_cast<long double>(v)));
  return want;
}

TEST(Simd, FunctionsOfFloat) {
  const std::vector<float> x = samples();
  for (const Function& f : kFunctions) {
    const std::vector<long double> want = references(f, x);
    for (const Isa& isa : isas()) {
      Worst worst;
      find_worst(isa, f, x, want, worst);
      expect_within(isa, f, worst);
      RecordProperty(isa.name + "_" + f.name, std::to_string(worst.error));
    }
  }
}

// Every float there is where ADJOINT_TEST_LONG=1, which takes minutes for each function; otherwise
// a few blocks of neighbours, from all binades.
class SimdExhaustive : public testing::TestWithParam<Function> {};

TEST_P(SimdExhaustive, EveryFloat) {
  const Function& f = GetParam();
  const std::vector<Isa> all = isas();
  std::vector<Worst> worst(all.size());
  constexpr uint64_t kBlock = 1 << 12;
  const char* longer = std::getenv("ADJOINT_TEST_LONG");
  const uint64_t step = longer != nullptr && std::strcmp(longer, "1") == 0 ? 1 : 2039;
  std::vector<float> x(kBlock);
  for (uint64_t first = 0; first <= 0xffffffffu; first += step * kBlock) {
    for (uint64_t i = 0; i < kBlock; ++i) {
      const auto word = static_cast<uint32_t>(first + i);
      std::memcpy(&x[i], &word, sizeof(word));
    }
    const std::vector<long double> want = references(f, x);
    for (size_t i = 0; i < all.size(); ++i) find_worst(all[i], f, x, want, worst[i]);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    expect_within(all[i], f, worst[i]);
    RecordProperty(all[i].name, std::to_string(worst[i].error));
  }
}

INSTANTIATE_TEST_SUITE_P(Core, SimdExhaustive, testing::ValuesIn(kFunctions),
                         [](const auto& instance) { return std::string(instance.param.name); });

// How the rounding of an exponent inside a function of double grows to its result: that of -x^2 / 2
// in ndtr, of about -x^3 / 14 in gelu_tanh.
double magnified(SimdUnary op, double x) {
  const double a = std::fmin(std::fabs(x), 50.0);
  if (op == SimdUnary::ndtr || op == SimdUnary::gelu_erf) return 1 + a * a;
  return op == SimdUnary::gelu_tanh ? 1 + 2 * a + a * a * a / 7 : 1;
}

TEST(Simd, FunctionsOfDouble) {
  std::vector<double> x;
  for (int i = -20000; i <= 20000; ++i) x.push_back(i * 0.00213);
  for (double special :
       {0.0, -0.0, 1e300, -1e300, 709.0, -708.0, HUGE_VAL, -HUGE_VAL, std::nan("")}) {
    x.push_back(special);
  }
  std::vector<double> y(x.size());
  for (const Isa& isa : isas()) {
    for (const Function& f : kFunctions) {
      isa.probe->f64.unary(f.op, x.data(), y.data(), static_cast<int64_t>(x.size()));
      for (size_t i = 0; i < x.size(); ++i) {
        const auto want = static_cast<double>(f.reference(static_cast<long double>(x[i])));
        if (std::isnan(want)) {
          EXPECT_TRUE(std::isnan(y[i])) << isa.name << ' ' << f.name << '(' << x[i] << ')';
        } else if (std::isinf(want)) {
          EXPECT_EQ(y[i], want) << isa.name << ' ' << f.name << '(' << x[i] << ')';
        } else {
          EXPECT_NEAR(y[i], want, std::fabs(want) * 1e-15 * magnified(f.op, x[i]) + 1e-300)
              << isa.name << ' ' << f.name << '(' << x[i] << ')';
        }
      }
    }
  }
}

TEST(Simd, SignedZerosAndTinyValuesSurvive) {
  const float x[] = {0.0f, -0.0f, 1e-30f, -1e-30f};
  for (const Isa& isa : isas()) {
    for (SimdUnary op :
         {SimdUnary::expm1, SimdUnary::log1p, SimdUnary::tanh, SimdUnary::erf, SimdUnary::sin}) {
      float y[4];
      isa.probe->f32.unary(op, x, y, 4);
      EXPECT_FALSE(std::signbit(y[0])) << isa.name << ' ' << static_cast<int>(op);
      EXPECT_TRUE(std::signbit(y[1])) << isa.name << ' ' << static_cast<int>(op);
      EXPECT_NEAR(y[2] * 1e30f, op == SimdUnary::erf ? 1.1283792f : 1.0f, 1e-6f);
      EXPECT_NEAR(y[3] * 1e30f, op == SimdUnary::erf ? -1.1283792f : -1.0f, 1e-6f);
    }
  }
}

template <class T>
T value_at(int i) {
  return static_cast<T>(((i * 37 + 11) % 29) - 14) / static_cast<T>(8) + static_cast<T>(0.01);
}

template <class T>
bool same(T a, T b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

template <class T>
void arithmetic(const std::string& name, const SimdProbeOf<T>& probe) {
  const int width = probe.width;
  std::vector<T> a, b, c;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (int i = 0; i < 4 * width; ++i) {
    a.push_back(i % 13 == 5 ? nan : value_at<T>(i));
    b.push_back(i % 11 == 7 ? nan : value_at<T>(i + 1));
    c.push_back(static_cast<T>((i * 53) % 251 - 125));
  }
  std::vector<T> y(14 * static_cast<size_t>(width));
  const bool fused = name != "scalar";
  for (int base = 0; base < 4 * width; base += width) {
    probe.many(&a[base], &b[base], &c[base], y.data());
    for (int i = 0; i < width; ++i) {
      const T p = a[base + i], q = b[base + i], r = c[base + i];
      const T want[] = {p + q,
                        p - q,
                        p * q,
                        p / q,
                        fused ? std::fma(p, q, r) : p * q + r,
                        fused ? std::fma(-p, q, r) : r - p * q,
                        p < q ? p : q,
                        p > q ? p : q,
                        std::isnan(p) || std::isnan(q) ? nan : std::fmin(p, q),
                        std::isnan(p) || std::isnan(q) ? nan : std::fmax(p, q),
                        std::copysign(p, q),
                        p < q ? p : q,
                        std::pow(p, q),
                        std::ldexp(p, static_cast<int>(r))};
      for (int op = 0; op < 14; ++op) {
        const T got = y[op * width + i];
        EXPECT_TRUE(same(got, want[op])) << name << " op " << op << " of " << p << ", " << q << ", "
                                         << r << ": " << got << ", not " << want[op];
      }
    }
  }
}

TEST(Simd, Arithmetic) {
  for (const Isa& isa : isas()) {
    arithmetic(isa.name, isa.probe->f32);
    arithmetic(isa.name, isa.probe->f64);
  }
}

template <class T>
void partial_registers(const std::string& name, const SimdProbeOf<T>& probe) {
  const int width = probe.width;
  for (int n = 0; n <= width; ++n) {
    // Sized exactly, so that the sanitizers see a byte too many; with sentinels behind the results.
    std::vector<T> a(n), b(n), y(n + width, T(77));
    std::vector<char> bytes(8 * n + 16, 5);
    bool* bools = reinterpret_cast<bool*>(bytes.data());
    for (int i = 0; i < n; ++i) {
      a[i] = i % 5 == 3 ? std::numeric_limits<T>::quiet_NaN() : T(i % 4);
      b[i] = T(i % 3);
    }
    probe.compare(a.data(), b.data(), bools, n);
    for (int i = 0; i < n; ++i) {
      const bool want[] = {a[i] == b[i], a[i] != b[i], a[i]<b[i], a[i] <= b[i], a[i]> b[i],
                           a[i] >= b[i], std::isnan(a[i])};
      for (int op = 0; op < 7; ++op) {
        EXPECT_EQ(bytes[op * n + i], want[op] ? 1 : 0) << name << " n " << n << " op " << op;
      }
    }
    EXPECT_EQ(bytes[7 * n], 5) << name << " n " << n;
    std::vector<char> mask(n);
    for (int i = 0; i < n; ++i) mask[i] = i % 3 == 1;
    probe.choose(reinterpret_cast<const bool*>(mask.data()), a.data(), b.data(), y.data(), n);
    for (int i = 0; i < n + width; ++i) {
      const T want = i >= n ? T(77) : mask[i] ? a[i] : b[i];
      EXPECT_TRUE(same(y[i], want)) << name << " n " << n << " lane " << i;
    }
  }
}

TEST(Simd, PartialRegisters) {
  for (const Isa& isa : isas()) {
    partial_registers(isa.name, isa.probe->f32);
    partial_registers(isa.name, isa.probe->f64);
  }
}

template <class T>
void reductions(const std::string& name, const SimdProbeOf<T>& probe) {
  const int width = probe.width;
  std::vector<T> a(width);
  T sum = 0, largest = -1000, smallest = 1000, y[3];
  for (int i = 0; i < width; ++i) {
    a[i] = T((i * 7 + 3) % 16) - T(4);
    sum += a[i];
    largest = std::max(largest, a[i]);
    smallest = std::min(smallest, a[i]);
  }
  probe.reduce(a.data(), y);
  EXPECT_EQ(y[0], sum) << name;
  EXPECT_EQ(y[1], largest) << name;
  EXPECT_EQ(y[2], smallest) << name;
  for (int i = 0; i < width; ++i) {
    std::vector<T> b = a;
    b[i] = std::numeric_limits<T>::quiet_NaN();
    probe.reduce(b.data(), y);
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2])) << name << ' ' << i;
  }
}

TEST(Simd, Reductions) {
  for (const Isa& isa : isas()) {
    reductions(isa.name, isa.probe->f32);
    reductions(isa.name, isa.probe->f64);
  }
}

template <class T>
void exponents(const std::string& name, const SimdProbeOf<T>& probe) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> x = {T(1),
                      T(1.5),
                      T(2),
                      T(0.3),
                      T(1e30),
                      T(1e-30),
                      Limits::max(),
                      Limits::min(),
                      Limits::min() / 4,
                      Limits::denorm_min()};
  std::vector<T> m(x.size()), e(x.size());
  probe.unary(SimdUnary::frexp_mantissa, x.data(), m.data(), static_cast<int64_t>(x.size()));
  probe.unary(SimdUnary::frexp_exponent, x.data(), e.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_GE(m[i], T(1)) << name << ' ' << x[i];
    EXPECT_LT(m[i], T(2)) << name << ' ' << x[i];
    EXPECT_EQ(std::ldexp(m[i], static_cast<int>(e[i])), x[i]) << name;
  }
}

TEST(Simd, Exponents) {
  for (const Isa& isa : isas()) {
    exponents(isa.name, isa.probe->f32);
    exponents(isa.name, isa.probe->f64);
  }
}

TEST(Simd, UnsignedIntegers) {
  for (const Isa& isa : isas()) {
    const int width = isa.probe->f32.width;
    std::vector<uint32_t> a(width), b(width), y(11 * width);
    std::vector<float> f(width);
    for (int i = 0; i < width; ++i) {
      a[i] = 0x9E3779B9u * static_cast<uint32_t>(i + 1);
      b[i] = i % 4 == 2 ? a[i] : 0xD2511F53u + 0x80000001u * static_cast<uint32_t>(i);
    }
    isa.probe->integer(a.data(), b.data(), y.data());
    for (int i = 0; i < width; ++i) {
      const uint64_t wide = static_cast<uint64_t>(a[i]) * b[i];
      const uint32_t want[] = {a[i] + b[i],
                               a[i] - b[i],
                               a[i] ^ b[i],
                               a[i] & b[i],
                               a[i] | b[i],
                               a[i] << 5,
                               a[i] >> 7,
                               static_cast<uint32_t>(wide),
                               static_cast<uint32_t>(wide >> 32),
                               a[i] < b[i] ? 1u : 0u,
                               a[i] == b[i] ? 1u : 0u};
      for (int op = 0; op < 11; ++op) {
        EXPECT_EQ(y[op * width + i], want[op]) << isa.name << " op " << op << " lane " << i;
      }
      a[i] >>= 8;
    }
    isa.probe->to_float(a.data(), f.data());
    for (int i = 0; i < width; ++i) EXPECT_EQ(f[i], static_cast<float>(a[i])) << isa.name;
  }
}

TEST(Dispatch, NamesTablesAndErrors) {
  int count = 0;
  const char* const* names = runnable_isas(&count);
  ASSERT_GE(count, 1);
  EXPECT_STREQ(names[0], "scalar");
  for (int i = 0; i < count; ++i) EXPECT_NE(kernels_for(names[i]).gemm.f32, nullptr);
  const char* forced = std::getenv("ADJOINT_ISA");
  EXPECT_STREQ(isa_name(), forced != nullptr && *forced != '\0' ? forced : names[count - 1]);
  EXPECT_EQ(&kernels(), &kernels_for(isa_name()));
#if defined(__aarch64__)
  const char* const known[] = {"scalar", "neon"};
  const char* const foreign = "avx2";
  ASSERT_EQ(count, 2);  // every processor has it
#else
  const char* const known[] = {"scalar", "avx2", "avx512", "amx"};
  const char* const foreign = "neon";
#endif
  std::string choices = "scalar";
  for (int i = 1; i < count; ++i) choices += std::string(", ") + known[i];
  try {
    kernels_for(foreign);
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.what(), "kernels_for: no instruction set of this machine: '" +
                                std::string(foreign) + "'; expected one of " + choices);
  }
}

}  // namespace
}  // namespace adjoint::kernels
