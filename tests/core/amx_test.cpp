// Products on tiles: with emulated ones on every machine, with AMX's own instructions where they
// run, and where they do not, with those instructions trapped.
#include <adjoint/core/linalg.h>

#include <gtest/gtest.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tests/core/amx_probes.h"
#include "tests/core/trapped_tiles.h"

namespace adjoint::kernels::tiles {
namespace {

enum class Layout { row_major, transposed, spread, reversed, expanded };
constexpr Layout kLayouts[] = {Layout::row_major, Layout::transposed, Layout::spread,
                               Layout::reversed, Layout::expanded};

// A matrix in f32 or bf16 that lies in one of those ways, with its values in order beside it.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t cols, Layout layout, bool is_bf16, const Numbers& values)
      : cols_(cols), is_bf16_(is_bf16) {
    int64_t size = 0, start = 0;
    switch (layout) {
      case Layout::row_major:
        row_ = cols + 3, col_ = 1, size = rows * row_;
        break;
      case Layout::transposed:
        row_ = 1, col_ = rows + 1, size = cols * col_;
        break;
      case Layout::spread:
        row_ = 2 * cols + 1, col_ = 2, size = rows * row_ + 1;
        break;
      case Layout::reversed:
        row_ = -cols, col_ = 1, size = rows * cols, start = std::max<int64_t>(0, rows - 1) * cols;
        break;
      case Layout::expanded:
        row_ = 0, col_ = 1, size = cols;
        break;
    }
    floats_ = Numbers(static_cast<size_t>(size + 1), 7777.0F);
    halves_ = std::vector<uint16_t>(floats_.size(), bf16_of(7777.0F));
    start_ = start;
    values_ = Numbers(static_cast<size_t>(rows * cols));
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        const int64_t source = layout == Layout::expanded ? j : i * cols + j;
        const float x = values[static_cast<size_t>(source)];
        floats_[static_cast<size_t>(start + i * row_ + j * col_)] = x;
        halves_[static_cast<size_t>(start + i * row_ + j * col_)] = bf16_of(x);
        values_[static_cast<size_t>(i * cols + j)] = is_bf16 ? widened(bf16_of(x)) : x;
      }
    }
  }
  MixedMatrix mixed() {
    void* const data = is_bf16_ ? static_cast<void*>(halves_.data() + start_)
                                : static_cast<void*>(floats_.data() + start_);
    return {data, is_bf16_, row_, col_};
  }
  const float* floats() const { return floats_.data() + start_; }
  int64_t row() const { return row_; }
  int64_t col() const { return col_; }
  double value(int64_t i, int64_t j) const { return values_[static_cast<size_t>(i * cols_ + j)]; }
  double rounded(int64_t i, int64_t j) const {
    return widened(bf16_of(values_[static_cast<size_t>(i * cols_ + j)]));
  }

 private:
  int64_t cols_, row_ = 0, col_ = 0, start_ = 0;
  bool is_bf16_;
  Numbers floats_, values_;
  std::vector<uint16_t> halves_;
};

struct Case {
  int64_t m, n, k;
  Layout a = Layout::row_major, b = Layout::row_major;
  bool a_half = false, b_half = false, c_half = false;
  double alpha = 1;
  bool accumulate = false, bias = false, keep = false;
  Activation activation = Activation::none;
};

std::string describe(const Probe& probe, const Case& c, bool high) {
  return probe.name + (high ? " high " : " bf16 ") + std::to_string(c.m) + 'x' +
         std::to_string(c.n) + 'x' + std::to_string(c.k) + " layouts " +
         std::to_string(static_cast<int>(c.a)) + std::to_string(static_cast<int>(c.b)) + " types " +
         std::to_string(c.a_half) + std::to_string(c.b_half) + std::to_string(c.c_half) +
         " alpha " + std::to_string(c.alpha) + (c.accumulate ? " accumulate" : "") +
         (c.bias ? " bias" : "") + (c.keep ? " keep" : "") + " act " +
         std::to_string(static_cast<int>(c.activation));
}

// A product and what it should be.
class Product {
 public:
  Product(const Case& c, bool high)
      : case_(c),
        high_(high),
        a_(c.m, c.k, c.a, c.a_half, uniform(std::max<int64_t>(c.m * c.k, 1), 1)),
        b_(c.k, c.n, c.b, c.b_half, uniform(std::max<int64_t>(c.k * c.n, 1), 2)),
        bias_(uniform(c.n, 3)),
        c_row_(c.n + 5),
        before_(uniform(c.m * c_row_ + 1, 4)) {}

  // C and the kept arguments, as floats, one after the other.
  Numbers run(const AmxProbe& probe, const Exec& exec) {
    Numbers out = before_, kept = before_;
    std::vector<uint16_t> out_half, kept_half;
    for (float x : before_) out_half.push_back(bf16_of(x));
    kept_half = out_half;
    const bool half = case_.c_half;
    void* const c = half ? static_cast<void*>(out_half.data()) : out.data();
    void* const keep = half ? static_cast<void*>(kept_half.data()) : kept.data();
    if (high_) {
      probe.high(exec, {case_.m,
                        case_.n,
                        case_.k,
                        a_.floats(),
                        a_.row(),
                        a_.col(),
                        b_.floats(),
                        b_.row(),
                        b_.col(),
                        out.data(),
                        c_row_,
                        static_cast<float>(case_.alpha),
                        case_.accumulate,
                        case_.bias ? bias_.data() : nullptr,
                        case_.activation,
                        case_.keep ? kept.data() : nullptr,
                        {1, 1, 1},
                        {},
                        {},
                        {}});
    } else {
      probe.bf16(exec, {case_.m,
                        case_.n,
                        case_.k,
                        a_.mixed(),
                        b_.mixed(),
                        {c, half, c_row_, 1},
                        static_cast<float>(case_.alpha),
                        case_.accumulate,
                        case_.bias ? bias_.data() : nullptr,
                        case_.activation,
                        case_.keep ? keep : nullptr,
                        {1, 1, 1},
                        {},
                        {},
                        {}});
    }
    for (size_t i = 0; half && i < out.size(); ++i) {
      out[i] = widened(out_half[i]);
      kept[i] = widened(kept_half[i]);
    }
    out.insert(out.end(), kept.begin(), kept.end());
    return out;
  }

  // Within the bound of a sum of K products, nothing written beside C.
  void check(const Numbers& out) const {
    const Case& c = case_;
    const auto size = static_cast<int64_t>(before_.size());
    int failures = 0;
    for (int64_t i = 0; i < c.m && failures < 3; ++i) {
      for (int64_t j = 0; j < c_row_ && failures < 3; ++j) {
        const int64_t at = i * c_row_ + j;
        const double got = out[static_cast<size_t>(at)];
        const double kept = out[static_cast<size_t>(size + at)];
        const float was = before_[static_cast<size_t>(at)];
        const double old = c.c_half ? widened(bf16_of(was)) : was;
        if (j >= c.n) {
          EXPECT_EQ(got, old) << "beside C at " << i << ", " << j;
          EXPECT_EQ(kept, old);
          failures += got != old;
          continue;
        }
        double sum = 0, terms = 0;
        for (int64_t k = 0; k < c.k; ++k) {
          const double term =
              high_ ? a_.value(i, k) * b_.value(k, j) : a_.rounded(i, k) * b_.rounded(k, j);
          sum += term;
          terms += std::fabs(term);
        }
        const double x = sum * c.alpha + (c.bias ? static_cast<double>(bias_[j]) : 0.0);
        const double want = act(c.activation, x) + (c.accumulate ? old : 0.0);
        // 1.2 bounds the activations' slopes; a sum in order would have k in place of k / 4 + 8.
        const double steps = static_cast<double>(c.k) / 4 + 8;
        double bound = 1.2 * steps * kEps * (std::fabs(c.alpha) * terms + std::fabs(x)) +
                       4 * kEps * (1 + std::fabs(want));
        double kept_bound = bound;
        if (c.c_half) {  // rounded once at the end: half a unit of 8 bits
          bound += (std::fabs(want) + bound) / 256;
          kept_bound += (std::fabs(x) + kept_bound) / 256;
        }
        const bool ok =
            std::fabs(got - want) <= bound && (!c.keep || std::fabs(kept - x) <= kept_bound);
        EXPECT_TRUE(ok) << "at " << i << ", " << j << ": " << got << ", not " << want << "; kept "
                        << kept << " of " << x;
        failures += !ok;
      }
    }
  }

 private:
  Case case_;
  bool high_;
  Matrix a_, b_;
  Numbers bias_;
  int64_t c_row_;
  Numbers before_;
};

void check_case(const Probe& probe, const Case& c, bool high) {
  SCOPED_TRACE(describe(probe, c, high));
  Product product(c, high);
  const Numbers out = product.run(*probe.probe, kSerial);
  product.check(out);
  for (const Exec* exec : {&kReversed, &kThreaded}) {
    EXPECT_TRUE(same_bits(product.run(*probe.probe, *exec), out))
        << "bits depend on threads: " << exec->threads;
  }
}

void check_both(const Probe& probe, const Case& c) {
  check_case(probe, c, false);
  if (!c.a_half && !c.b_half && !c.c_half) check_case(probe, c, true);
}

TEST(Amx, SaysWhatItRunsOn) {
  if (!has_isa("amx")) {
    GTEST_SKIP() << "this machine has no AMX: its products are tested on emulated tiles and with "
                    "its instructions trapped, never on real ones";
  }
  const GemmTable& tiles = kernels_for("amx").gemm;
  const GemmTable& plain = kernels_for("avx512").gemm;
  EXPECT_EQ(tiles.f32, plain.f32);
  EXPECT_EQ(tiles.f64, plain.f64);
  EXPECT_NE(tiles.f32_high, plain.f32_high);
  EXPECT_NE(tiles.f32_medium, plain.f32_medium);
  EXPECT_NE(tiles.mixed, plain.mixed);
}

TEST(Amx, RoundsToTheNearestBf16) {
  Numbers x;
  for (uint32_t upper : {0x0000U, 0x0001U, 0x0080U, 0x3f80U, 0x3f81U, 0x7f7fU, 0x7f7eU}) {
    for (uint32_t lower : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU}) {
      x.push_back(from_bits(upper << 16 | lower));
      x.push_back(from_bits(upper << 16 | lower | 0x80000000U));
    }
  }
  for (uint32_t special : {0x7f800000U, 0xff800000U, 0x7fc00000U, 0x7fffffffU, 0xffffffffU,
                           0x7f800001U, 0x7f808000U}) {
    x.push_back(from_bits(special));
  }
  std::mt19937 engine(5);
  while (x.size() < 4096) x.push_back(from_bits(static_cast<uint32_t>(engine())));
  for (const Probe& probe : probes()) {
    std::vector<uint16_t> y(x.size());
    probe.probe->round(x.data(), y.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(y[i], bf16_of(x[i])) << probe.name << ": " << std::hex << bits_of(x[i]);
    }
  }
}

TEST(Amx, SizesAndLayouts) {
  const int64_t sizes[][3] = {{1, 1, 1},    {16, 16, 32}, {17, 33, 31},  {32, 32, 64},
                              {48, 16, 33}, {33, 70, 97}, {64, 80, 130}, {5, 3, 300}};
  for (const Probe& probe : probes()) {
    for (const auto& s : sizes) {
      for (Layout a : kLayouts) {
        for (Layout b : kLayouts) check_both(probe, {s[0], s[1], s[2], a, b});
      }
    }
  }
}

TEST(Amx, EveryTail) {
  for (const Probe& probe : probes()) {
    for (int64_t m = 1; m <= 65; m += 3) check_both(probe, {m, 37, 21});
    for (int64_t n = 1; n <= 65; n += 3) {
      check_both(probe, {19, n, 40, Layout::transposed, Layout::transposed});
    }
    for (int64_t k = 0; k <= 70; k += 3) check_both(probe, {18, 34, k, Layout::transposed});
  }
}

TEST(Amx, EveryCombinationOfTypes) {
  for (const Probe& probe : probes()) {
    for (int types = 0; types < 8; ++types) {
      for (Layout layout : kLayouts) {
        Case c{37, 50, 101, layout, layout};
        c.a_half = (types & 1) != 0;
        c.b_half = (types & 2) != 0;
        c.c_half = (types & 4) != 0;
        check_both(probe, c);
        c.accumulate = c.bias = c.keep = true;
        c.alpha = 0.5;
        c.activation = Activation::gelu_tanh;
        check_both(probe, c);
      }
    }
  }
}

TEST(Amx, Epilogues) {
  for (const Probe& probe : probes()) {
    for (int64_t k : {45, 530}) {
      if (k > 100 && probe.name != best_probe().name) continue;
      for (Activation activation : {Activation::none, Activation::relu, Activation::gelu_tanh,
                                    Activation::gelu_erf, Activation::silu}) {
        for (int bits = 0; bits < 16; ++bits) {
          Case c{33, 43, k};
          c.accumulate = (bits & 1) != 0;
          c.bias = (bits & 2) != 0;
          c.keep = (bits & 4) != 0;
          c.alpha = (bits & 8) != 0 ? -0.375 : 1;
          c.activation = activation;
          check_both(probe, c);
        }
      }
    }
  }
}

// More rows, columns and elements of the sum than one block has.
TEST(Amx, ManyBlocks) {
  const Probe probe = best_probe();
  check_both(probe, {2100, 34, 40, Layout::transposed});
  check_both(probe, {34, 3200, 40, Layout::row_major, Layout::transposed});
  check_both(probe, {2100, 3200, 5});
  check_both(probe, {130, 200, 1100, Layout::row_major, Layout::transposed});
  check_case(probe, {33, 20, 90000}, true);
  check_case(probe, {20, 33, 265000, Layout::transposed}, false);
}

// A batch of (2, 3, items), with B shared by the middle dimension and C interleaved as attention's
// heads: the same bits as each product by itself.
TEST(Amx, Batches) {
  struct Size {
    int64_t m, n, k, items;
  };
  for (const Probe& probe : probes()) {
    for (const Size& s : {Size{33, 40, 37, 5}, Size{70, 20, 600, 1}}) {
      const int64_t all = 6 * s.items;
      const Numbers a = uniform(all * s.m * s.k, 5), b = uniform(2 * s.items * s.k * s.n, 6);
      const Numbers before = uniform(all * s.m * s.n, 7);
      const auto gemm = [&](Numbers& c) {
        return Gemm<float>{s.m,
                           s.n,
                           s.k,
                           a.data(),
                           s.k,
                           1,
                           b.data(),
                           1,
                           s.k,
                           c.data(),
                           s.items * s.n,
                           1.0F,
                           true,
                           nullptr,
                           Activation::silu,
                           nullptr,
                           {2, 3, s.items},
                           {3 * s.items * s.m * s.k, s.items * s.m * s.k, s.m * s.k},
                           {s.items * s.k * s.n, 0, s.k * s.n},
                           {3 * s.items * s.m * s.n, s.items * s.m * s.n, s.n}};
      };
      Numbers want = before;
      for (int64_t item = 0; item < all; ++item) {
        Gemm<float> one = gemm(want);
        int64_t rest = item;
        for (int d = 2; d >= 0; --d) {
          const int64_t i = rest % one.batch[d];
          rest /= one.batch[d];
          one.a += i * one.a_batch[d];
          one.b += i * one.b_batch[d];
          one.c += i * one.c_batch[d];
          one.batch[d] = 1;
        }
        probe.probe->high(kSerial, one);
      }
      EXPECT_FALSE(same_bits(want, before));
      for (const Exec* exec : {&kSerial, &kReversed, &kThreaded}) {
        Numbers got = before;
        probe.probe->high(*exec, gemm(got));
        EXPECT_TRUE(same_bits(got, want)) << probe.name << ", threads " << exec->threads;
      }
      Numbers none = before;
      Gemm<float> empty = gemm(none);
      empty.batch[1] = 0;
      probe.probe->high(kSerial, empty);
      EXPECT_TRUE(same_bits(none, before));
    }
  }
}

// ---- AMX's own instructions, carried out in software. ----

#if defined(__x86_64__)
bool processor_has_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;  // leaf 7, EDX: 22 amx-bf16, 24 amx-tile
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & (1U << 22 | 1U << 24)) != 0;
}
#endif

TEST(Amx, TrappedInstructionsGiveTheEmulatedBits) {
#if defined(__x86_64__)
  // Also where the system withholds the tiles: some of their instructions do not trap there.
  if (processor_has_tiles()) GTEST_SKIP() << "this processor has AMX: its instructions do not trap";
  if (!has_isa("avx512") || !TrappedTiles::available()) {
    GTEST_SKIP() << "AMX's kernels need AVX-512, and Linux to trap what is missing";
  }
  Case everything{50, 70, 230, Layout::transposed, Layout::row_major};
  everything.accumulate = everything.bias = everything.keep = true;
  everything.activation = Activation::silu;
  Case halves{33, 64, 70};
  halves.a_half = halves.b_half = halves.c_half = true;
  const Case cases[] = {{32, 32, 32}, {64, 64, 96}, {17, 33, 610}, everything, halves};
  for (const Case& c : cases) {
    for (bool high : {false, true}) {
      if (high && c.a_half) continue;
      SCOPED_TRACE(describe({"trapped", nullptr}, c, high));
      Product product(c, high);
      const Numbers want = product.run(avx512::amx_probe_table, kSerial);
      for (const Exec* exec : {&kSerial, &kThreaded}) {
        const TrappedTiles traps;
        const Numbers got = product.run(amx::amx_probe_table, *exec);
        EXPECT_TRUE(same_bits(got, want));
        EXPECT_GT(traps.products(), 0);
        EXPECT_EQ(traps.misuse(), "");
        EXPECT_EQ(traps.held(), 0) << "threads that went on with their tiles";
      }
    }
  }
#else
  GTEST_SKIP() << "AMX is of x86-64";
#endif
}

}  // namespace
}  // namespace adjoint::kernels::tiles
