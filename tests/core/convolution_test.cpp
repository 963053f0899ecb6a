// What the catalogue's rows do not check: sizes that choose between ways through the kernels, every
// instruction set, special values, dtypes.
#include <adjoint/core/autocast.h>
#include <adjoint/core/convolution.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pooling.h>
#include <adjoint/core/reductions.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/kernels/kernels.h"
#include "tests/core/kernel_execs.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)
using kernels::ConvShape;

// --- the kernels, under each instruction set, against loops in f64 ---

// f(index in x, in w, in y) for every product.
template <class F>
void each_product(const ConvShape& s, F f) {
  const int64_t taps = s.kernel[0] * s.kernel[1] * s.kernel[2];
  const int64_t outs = s.out[0] * s.out[1] * s.out[2], ins = s.in[0] * s.in[1] * s.in[2];
  const auto part = [](const int64_t(&sizes)[3], int64_t i, int d) {
    return d == 2 ? i % sizes[2] : d == 1 ? i / sizes[2] % sizes[1] : i / sizes[2] / sizes[1];
  };
  for (int64_t p = 0; p < outs; ++p) {
    for (int64_t t = 0; t < taps; ++t) {
      int64_t at = 0;
      bool inside = true;
      for (int d = 0; d < 3; ++d) {
        const int64_t i =
            part(s.out, p, d) * s.stride[d] + part(s.kernel, t, d) * s.dilation[d] - s.padding[d];
        inside = inside && i >= 0 && i < s.in[d];
        at = at * s.in[d] + i;
      }
      if (!inside) continue;
      for (int64_t n = 0; n < s.batch; ++n) {
        for (int64_t o = 0; o < s.groups * s.out_channels; ++o) {
          for (int64_t c = 0; c < s.in_channels; ++c) {
            const int64_t from = o / s.out_channels * s.in_channels + c;
            f((n * s.groups * s.in_channels + from) * ins + at, (o * s.in_channels + c) * taps + t,
              (n * s.groups * s.out_channels + o) * outs + p);
          }
        }
      }
    }
  }
}

ConvShape shape_of(int64_t batch, int64_t groups, int64_t in, int64_t out,
                   const std::vector<int64_t>& sizes, const std::vector<int64_t>& kernel,
                   const std::vector<int64_t>& stride, const std::vector<int64_t>& padding,
                   const std::vector<int64_t>& dilation) {
  ConvShape s{batch,     groups,    in,        out,       {1, 1, 1},
              {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
  const size_t rank = sizes.size();
  for (size_t i = 0; i < rank; ++i) {
    const size_t d = 3 - rank + i;
    s.in[d] = sizes[i];
    s.kernel[d] = kernel[i];
    s.stride[d] = stride[i];
    s.padding[d] = padding[i];
    s.dilation[d] = dilation[i];
    s.out[d] = (sizes[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
  }
  return s;
}

// What makes a way of its own: few and many channels, blocks of channels, rows that are cut, images
// that are joined, phases of a stride, groups, three dimensions, kernels beyond a block of the sum.
std::vector<ConvShape> shapes() {
  return {shape_of(2, 1, 3, 5, {9, 11}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(3, 1, 70, 33, {8, 8}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(5, 1, 50, 17, {7, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(2, 1, 4, 16, {40, 37}, {3, 3}, {2, 2}, {1, 1}, {1, 1}),
          shape_of(1, 1, 3, 9, {33, 35}, {7, 7}, {2, 2}, {3, 3}, {1, 1}),
          shape_of(2, 1, 5, 6, {13, 14}, {3, 2}, {3, 2}, {2, 0}, {2, 3}),
          shape_of(2, 7, 1, 1, {19, 21}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(2, 6, 1, 2, {19, 21}, {5, 3}, {2, 2}, {2, 1}, {1, 1}),
          shape_of(2, 3, 4, 4, {10, 10}, {3, 3}, {1, 1}, {0, 2}, {1, 1}),
          shape_of(2, 2, 6, 10, {10, 9}, {3, 3}, {1, 2}, {1, 1}, {1, 1}),
          shape_of(1, 1, 2, 7, {3000}, {5}, {1}, {2}, {1}),
          shape_of(1, 1, 2, 3, {2500}, {500}, {1}, {0}, {2}),
          shape_of(3, 1, 6, 8, {1201}, {4}, {3}, {1}, {2}),
          shape_of(2, 1, 4, 6, {5, 9, 8}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}),
          shape_of(2, 1, 3, 5, {7, 6, 9}, {2, 3, 2}, {2, 1, 3}, {1, 0, 1}, {1, 2, 1}),
          shape_of(1, 1, 1, 20, {28, 28}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(2, 1, 12, 9, {4, 4}, {1, 1}, {2, 2}, {0, 0}, {1, 1}),
          shape_of(2, 1, 3, 18, {16, 16}, {8, 8}, {8, 8}, {0, 0}, {1, 1}),
          shape_of(3, 1, 9, 40, {2, 2}, {3, 3}, {1, 1}, {2, 2}, {1, 1}),
          shape_of(2, 1, 5, 6, {6, 6}, {2, 2}, {1, 1}, {3, 3}, {1, 1}),
          shape_of(7, 1, 9, 20, {6, 5}, {3, 3}, {2, 2}, {1, 1}, {1, 1}),
          shape_of(9, 2, 3, 400, {5}, {4}, {3}, {2}, {1}),
          shape_of(0, 1, 3, 4, {6, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1})};
}

// What tiles of 2 by 2 results suit, for f32: images that are joined, rows that are cut, odd sizes,
// groups, channels beyond a block of the sum and beyond a task.
std::vector<ConvShape> tiled_shapes() {
  return {shape_of(3, 1, 70, 33, {8, 8}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(5, 1, 50, 17, {7, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(1, 1, 18, 16, {5, 1030}, {3, 3}, {1, 1}, {0, 1}, {1, 1}),
          shape_of(2, 1, 16, 20, {64, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(4, 1, 260, 16, {6, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}),
          shape_of(3, 2, 19, 40, {9, 6}, {3, 3}, {1, 1}, {2, 3}, {1, 1}),
          shape_of(40, 1, 17, 16, {1, 2}, {3, 3}, {1, 1}, {1, 1}, {1, 1})};
}

// The tensor of F(2x2, 3x3) in absolute values: what the errors of tiles are in proportion to (Note
// [Winograd] in conv_winograd_tiles.h).
struct TileSizes {
  // Of each point, along one dimension: |B|^T, |G| and |A|.
  static constexpr double kInput[4][4] = {{1, 0, 1, 0}, {0, 1, 1, 0}, {0, 1, 1, 0}, {0, 1, 0, 1}};
  static constexpr double kTap[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, {0, 0, 1}};
  static constexpr double kResult[4][2] = {{1, 0}, {1, 1}, {1, 1}, {0, 1}};
  using Points = std::array<double, 16>;

  // The points of a square whose elements are at(row, column).
  template <int kSize, class At>
  static Points transformed(const double (&rows)[4][kSize], At at) {
    Points points{};
    for (size_t p = 0; p < 16; ++p) {
      for (int r = 0; r < kSize; ++r) {
        for (int c = 0; c < kSize; ++c) {
          points[p] += rows[p / 4][r] * rows[p % 4][c] * std::abs(at(r, c));
        }
      }
    }
    return points;
  }
  // f(row, column, sum of the points of both that reach it).
  template <int kSize, class F>
  static void turned_back(const double (&rows)[4][kSize], const Points& points, F f) {
    for (int r = 0; r < kSize; ++r) {
      for (int c = 0; c < kSize; ++c) {
        double total = 0;
        for (size_t p = 0; p < 16; ++p) total += rows[p / 4][r] * rows[p % 4][c] * points[p];
        f(r, c, total);
      }
    }
  }

  ConvShape s;
  const std::vector<float>&x, &w, &y;

  int64_t rows() const { return (s.out[1] + 1) / 2; }
  int64_t columns() const { return (s.out[2] + 1) / 2; }
  int64_t tiles() const { return s.batch * rows() * columns(); }

  // The points of every tile of one channel, of `channels` in images of `height` by `width`.
  template <int kSize>
  std::vector<Points> all_points(const double (&points)[4][kSize], const std::vector<float>& from,
                                 int64_t channel, int64_t channels, const int64_t (&size)[3],
                                 const int64_t (&padding)[3]) const {
    std::vector<Points> all;
    for (int64_t tile = 0; tile < tiles(); ++tile) {
      const int64_t n = tile / columns() / rows(), of_image = (n * channels + channel) * size[1];
      all.push_back(transformed(points, [&](int r, int c) {
        const int64_t row = tile / columns() % rows() * 2 + r - padding[1];
        const int64_t column = tile % columns() * 2 + c - padding[2];
        const bool inside = row >= 0 && row < size[1] && column >= 0 && column < size[2];
        return inside ? from[static_cast<size_t>((of_image + row) * size[2] + column)] : 0.0F;
      }));
    }
    return all;
  }

  // Of the result, or of the weight.
  std::vector<double> of(bool weight) const {
    const int64_t outs = s.groups * s.out_channels, ins = s.groups * s.in_channels;
    std::vector<double> sizes(weight ? w.size() : y.size());
    std::vector<std::vector<Points>> inputs;
    for (int64_t c = 0; c < ins; ++c) {
      inputs.push_back(all_points(kInput, x, c, ins, s.in, s.padding));
    }
    for (int64_t o = 0; o < outs; ++o) {
      std::vector<Points> sums(inputs[0].size());
      const auto results = all_points(kResult, y, o, outs, s.out, {0, 0, 0});
      for (int64_t c = 0; c < s.in_channels; ++c) {
        const auto& of_channel =
            inputs[static_cast<size_t>(o / s.out_channels * s.in_channels + c)];
        const size_t first = static_cast<size_t>(o * s.in_channels + c) * 9;
        const Points taps = transformed(
            kTap, [&](int r, int k) { return w[first + static_cast<size_t>(3 * r + k)]; });
        Points total{};
        for (size_t tile = 0; tile < sums.size(); ++tile) {
          for (size_t p = 0; p < 16; ++p) {
            sums[tile][p] += of_channel[tile][p] * taps[p];
            total[p] += of_channel[tile][p] * results[tile][p];
          }
        }
        if (!weight) continue;
        turned_back(kTap, total, [&](int r, int k, double size) {
          sizes[first + static_cast<size_t>(3 * r + k)] = size;
        });
      }
      for (int64_t tile = 0; !weight && tile < tiles(); ++tile) {
        const int64_t n = tile / columns() / rows();
        turned_back(kResult, sums[static_cast<size_t>(tile)], [&](int r, int k, double size) {
          const int64_t row = tile / columns() % rows() * 2 + r, column = tile % columns() * 2 + k;
          if (row >= s.out[1] || column >= s.out[2]) return;
          sizes[static_cast<size_t>(((n * outs + o) * s.out[1] + row) * s.out[2] + column)] = size;
        });
      }
    }
    return sizes;
  }
};

template <class T>
std::vector<T> numbers(int64_t count, uint64_t seed) {
  std::vector<T> result(static_cast<size_t>(count));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<T>(philox(seed, 0, i).word[0] * 0x1p-31 - 1.0);
  }
  return result;
}

template <class T>
using Kernel = void (*)(const kernels::Exec&, const kernels::Conv<T>&);

template <class T>
struct ConvTest {
  ConvShape s;
  std::vector<T> x, w, y, bias_out, bias_in;

  explicit ConvTest(const ConvShape& shape) : s(shape) {
    const int64_t ins = s.in[0] * s.in[1] * s.in[2], outs = s.out[0] * s.out[1] * s.out[2];
    const int64_t taps = s.kernel[0] * s.kernel[1] * s.kernel[2];
    x = numbers<T>(s.batch * s.groups * s.in_channels * ins, 1);
    w = numbers<T>(s.groups * s.out_channels * s.in_channels * taps, 2);
    y = numbers<T>(s.batch * s.groups * s.out_channels * outs, 3);
    bias_out = numbers<T>(s.groups * s.out_channels, 4);
    bias_in = numbers<T>(s.groups * s.in_channels, 5);
  }

  // The result of one kernel; `which`: 0 writes y, 1 x, 2 w.
  std::vector<T> run(Kernel<T> kernel, const kernels::Exec& exec, int which, bool biased) const {
    std::vector<T> result(which == 0   ? y.size()
                          : which == 1 ? x.size()
                                       : w.size(),
                          std::numeric_limits<T>::quiet_NaN());
    const auto open = [](const std::vector<T>& v) { return const_cast<T*>(v.data()); };
    kernels::Conv<T> c{s, open(x), open(w), open(y), nullptr};
    (which == 0 ? c.out : which == 1 ? c.in : c.weight) = result.data();
    if (biased && which < 2) c.bias = which == 0 ? bias_out.data() : bias_in.data();
    kernel(exec, c);
    return result;
  }

  // The result in f64, and the sum of its terms' absolute values.
  struct Reference {
    std::vector<double> expected, size;
  };
  Reference reference(int which, bool biased) const {
    const size_t count = which == 0 ? y.size() : which == 1 ? x.size() : w.size();
    Reference result{std::vector<double>(count), std::vector<double>(count)};
    auto& [expected, size] = result;
    const auto channel_of = [&](size_t i, int64_t channels, const int64_t(&sizes)[3]) {
      return static_cast<size_t>(static_cast<int64_t>(i) / (sizes[0] * sizes[1] * sizes[2]) %
                                 channels);
    };
    for (size_t i = 0; biased && which < 2 && i < count; ++i) {
      expected[i] = which == 0 ? bias_out[channel_of(i, s.groups * s.out_channels, s.out)]
                               : bias_in[channel_of(i, s.groups * s.in_channels, s.in)];
      size[i] = std::abs(expected[i]);
    }
    each_product(s, [&](int64_t ix, int64_t iw, int64_t iy) {
      const auto at_x = static_cast<size_t>(ix), at_w = static_cast<size_t>(iw);
      const auto at_y = static_cast<size_t>(iy);
      const size_t to = which == 0 ? at_y : which == 1 ? at_x : at_w;
      const double product = which == 0   ? static_cast<double>(w[at_w]) * x[at_x]
                             : which == 1 ? static_cast<double>(w[at_w]) * y[at_y]
                                          : static_cast<double>(x[at_x]) * y[at_y];
      result.expected[to] += product;
      result.size[to] += std::abs(product);
    });
    return result;
  }

  // What errors of tiles are in proportion to. The gradient of x is a convolution of y by the
  // kernel turned round.
  std::vector<double> tile_sizes(int which) const {
    if (which != 1) return TileSizes{s, x, w, y}.of(which == 2);
    ConvShape turned = s;
    std::swap(turned.in_channels, turned.out_channels);
    std::vector<float> kernel(w.size());
    for (int d = 1; d < 3; ++d) {
      std::swap(turned.in[d], turned.out[d]);
      turned.padding[d] = 2 - s.padding[d];
    }
    for (int64_t i = 0; i < static_cast<int64_t>(w.size()); ++i) {
      const int64_t t = i % 9, c = i / 9 % s.in_channels, o = i / 9 / s.in_channels;
      const int64_t group = o / s.out_channels * s.in_channels + c;
      kernel[static_cast<size_t>((group * s.out_channels + o % s.out_channels) * 9 + 8 - t)] =
          w[static_cast<size_t>(i)];
    }
    return TileSizes{turned, y, kernel, x}.of(false);
  }

  // Each term is rounded as often as its chain goes on, mostly up and down: a few ulps of all.
  static void expect_close(const std::vector<T>& got, const Reference& reference,
                           const std::string& where) {
    const double epsilon = std::numeric_limits<T>::epsilon();
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_LE(std::abs(got[i] - reference.expected[i]), 4 * epsilon * reference.size[i] + 1e-300)
          << where << ", element " << i << ": " << got[i] << " against " << reference.expected[i];
    }
  }
};

template <class T>
std::array<Kernel<T>, 3> kernels_of(const kernels::KernelTable& table) {
  if constexpr (std::is_same_v<T, float>) {
    return {table.conv.f32_out, table.conv.f32_in, table.conv.f32_weight};
  } else {
    return {table.conv.f64_out, table.conv.f64_in, table.conv.f64_weight};
  }
}

// Each of the three results on every instruction set, whatever threads there are.
template <class T>
void check_shape(const ConvShape& s, int number, bool tiled) {
  const ConvTest<T> test(s);
  const char* const names[] = {"out", "in", "weight"};
  for (int which = 0; which < 3; ++which) {
    const bool biased = number % 2 == 0;
    typename ConvTest<T>::Reference reference = test.reference(which, biased);
    if constexpr (std::is_same_v<T, float>) {
      if (tiled) reference.size = test.tile_sizes(which);
    }
    for (const std::string& isa : kernels::isas()) {
      const std::string where = isa + ", shape " + std::to_string(number) + ", " + names[which];
      const auto kernel =
          kernels_of<T>(kernels::kernels_for(isa.c_str()))[static_cast<size_t>(which)];
      const std::vector<T> serial = test.run(kernel, kernels::kSerial, which, biased);
      ConvTest<T>::expect_close(serial, reference, where);
      if (testing::Test::HasFatalFailure()) return;
      for (const kernels::Exec* exec : {&kernels::kReversed, &kernels::kThreaded}) {
        EXPECT_EQ(test.run(kernel, *exec, which, biased), serial) << where;
      }
    }
  }
}

TEST(Convolution, KernelsOfEveryInstructionSet) {
  int number = 0;
  for (const ConvShape& s : shapes()) {
    check_shape<float>(s, number, false);
    check_shape<double>(s, number++, false);
    if (HasFatalFailure()) return;
  }
}

TEST(Convolution, TilesOfEveryInstructionSet) {
  int number = 0;
  for (const ConvShape& s : tiled_shapes()) {
    check_shape<float>(s, number++, true);
    if (HasFatalFailure()) return;
  }
}

// --- operators ---

// What padding reads is zero, whatever lies beside it in memory: infinities stay where they are.
TEST(Convolution, NotFiniteNumbersStayInTheirWindows) {
  const double infinity = std::numeric_limits<double>::infinity();
  Tensor x = ones({1, 1, 1, 40});
  x.mutable_data<float>()[20] = static_cast<float>(infinity);
  const std::vector<float> y = conv2d(x, ones({1, 1, 3, 3}), {}, {.padding = 1}).to_vector<float>();
  for (size_t i = 0; i < y.size(); ++i) {
    const bool sees = i >= 19 && i <= 21;
    EXPECT_EQ(std::isinf(y[i]), sees) << i;
    if (!sees) {
      EXPECT_EQ(y[i], i == 0 || i == 39 ? 2.0F : 3.0F) << i;
    }
  }
  // The gradient of the weight, of a tail of a row: what lies behind it has no part in it.
  Tensor w = ones({1, 1, 1, 3}).requires_grad_();
  conv2d(ones({1, 1, 5, 7}), w).sum().backward();
  for (const float dw : w.grad().to_vector<float>()) EXPECT_EQ(dw, 25.0F);
}

// Tiles do not spread a number that is not finite, nor a sum inside them that overflows: f64 goes
// without them, and has the same ones finite.
TEST(Convolution, NotFiniteNumbersStayInTheirWindowsBesideTiles) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double special[] = {infinity, -infinity, std::nan("")};
  for (int place = 0; place < 4; ++place) {
    std::vector<Tensor> results;
    for (const DType dtype : {DType::f32, DType::f64}) {
      // The last time nothing is special, but sums of two overflow f32.
      Tensor x = random({2, 16, 9, 9}, 1, DType::f32), w = random({16, 16, 3, 3}, 2, DType::f32);
      Tensor dy = random({2, 16, 9, 9}, 3, DType::f32);
      if (place < 3) {
        for (Tensor* t : {&x, &w, &dy}) {
          t->mutable_data<float>()[500 + place] = static_cast<float>(special[place]);
        }
      } else {
        x = x * 3e38;
        w = w * 1e-3;
        dy = dy * 1e-3;
      }
      x = x.to(dtype).requires_grad_();
      w = w.to(dtype).requires_grad_();
      dy = dy.to(dtype);
      const Tensor y = conv2d(x, w, {}, {.padding = 1});
      y.backward({.gradient = dy});
      for (const Tensor& t : {y.detach(), x.grad(), w.grad()}) results.push_back(t.to(DType::f64));
    }
    for (size_t i = 0; i < 3; ++i) {
      const std::vector<double> got = results[i].to_vector<double>();
      const std::vector<double> exact = results[3 + i].to_vector<double>();
      double largest = 0;
      for (const double v : exact)
        largest = std::isfinite(v) ? std::max(largest, std::abs(v)) : largest;
      for (size_t k = 0; k < got.size(); ++k) {
        ASSERT_EQ(std::isfinite(got[k]), std::isfinite(exact[k]))
            << place << ", " << i << ", " << k;
        if (!std::isfinite(exact[k])) continue;
        ASSERT_LE(std::abs(got[k] - exact[k]), 2e-6 * largest) << place << ", " << i << ", " << k;
      }
    }
  }
}

TEST(Convolution, IsLinearWhereTheKernelIsAPoint) {
  const Tensor x = random({3, 6, 5, 4}, 1), w = random({7, 6, 1, 1}, 2), b = random({7}, 3);
  const Tensor rows = linear(permute(x, {0, 2, 3, 1}), reshape(w, {7, 6}), b);
  expect_close(conv2d(x, w, b), permute(rows, {0, 3, 1, 2}), 1e-14);
}

TEST(Convolution, OfColumnsIsAProduct) {
  const Tensor x = random({2, 5, 9, 8}, 4), w = random({6, 5, 3, 2}, 5);
  const WindowOptions windows{.dilation = {1, 2}, .padding = {1, 0}, .stride = {2, 1}};
  const Tensor columns = unfold(x, {3, 2}, windows);
  const Tensor y = conv2d(x, w, {}, {.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}});
  expect_close(reshape(y, {2, 6, y.size(2) * y.size(3)}), matmul(reshape(w, {6, 30}), columns),
               1e-13);
  // Folding what was unfolded counts how often each element was read.
  const Tensor counted = fold(unfold(ones_like(x), {3, 2}, windows), {9, 8}, {3, 2}, windows);
  expect_close(fold(columns, {9, 8}, {3, 2}, windows), x * counted, 1e-13);
}

// Sizes at which the products of bf16 are many: computed in f32, rounded once.
TEST(Convolution, HalfTypesAreRoundedOnce) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const Tensor x = random({2, 40, 9, 9}, 6, dtype), w = random({12, 40, 3, 3}, 7, dtype);
    const Tensor b = random({12}, 8, dtype);
    const Tensor y = conv2d(x, w, b, {.padding = 1});
    EXPECT_EQ(y.dtype(), dtype);
    const Tensor exact =
        conv2d(x.to(DType::f32), w.to(DType::f32), b.to(DType::f32), {.padding = 1});
    expect_same_bits(y, exact.to(dtype));
  }
}

TEST(Convolution, AutocastComputesInBf16) {
  const Tensor x = random({2, 3, 6, 6}, 9, DType::f32);
  const Tensor w = random({4, 3, 3, 3}, 10, DType::f32).requires_grad_();
  Tensor y;
  {
    const Autocast guard(true);
    y = conv2d(x, w);
  }
  EXPECT_EQ(y.dtype(), DType::bf16);
  const auto rounded = [](const Tensor& t) { return t.detach().to(DType::bf16); };
  expect_same_bits(y, conv2d(rounded(x), rounded(w)));
  y.sum().backward();
  EXPECT_EQ(w.grad().dtype(), DType::f32);
  Tensor exact = rounded(w).to(DType::f32).requires_grad_();
  conv2d(rounded(x).to(DType::f32), exact).sum().backward();
  expect_close(w.grad(), exact.grad(), 1e-5);
}

TEST(Convolution, NamesWhatDoesNotFit) {
  EXPECT_EQ(message_of<ShapeError>([] {
              conv2d(ones({1, 2, 3, 3}), ones({1, 2, 5, 3}), {}, {.padding = {0, 1}});
            }),
            "conv2d: a kernel of size (5, 3) with dilation (1, 1) covers 5 elements of dimension "
            "0, and the input of size (3, 3) has 3 with its padding; expected a kernel that fits");
  EXPECT_EQ(message_of<ShapeError>([] {
              conv1d(ones({2, 4, 8}), ones({3, 3, 2}));
            }),
            "conv1d: input of shape (2, 4, 8) for a weight of shape (3, 3, 2) and 1 groups; "
            "expected 3 channels");
}

TEST(Convolution, WindowsBeyondAllSizesAreRefused) {
  const Tensor x = ones({1, 1, 5, 5}), w = ones({1, 1, 5, 5});
  for (const int64_t huge : {int64_t{1} << 31, int64_t{1} << 62, INT64_MAX}) {
    EXPECT_THROW(im2col(x, 5, {.dilation = huge}), ShapeError);
    EXPECT_THROW(im2col(x, 5, {.padding = huge}), ShapeError);
    EXPECT_THROW(im2col(x, huge), ShapeError);
    EXPECT_THROW(conv2d(x, w, {}, {.dilation = huge}), ShapeError);
    EXPECT_THROW(conv2d(x, w, {}, {.padding = huge}), ShapeError);
    EXPECT_THROW(conv2d(x, w, {}, {.stride = huge}), ShapeError);
    EXPECT_THROW(conv_transpose2d(x, w, {}, {.dilation = huge}), ShapeError);
    EXPECT_THROW(conv_transpose2d(x, w, {}, {.stride = huge}), ShapeError);
    EXPECT_THROW(max_pool2d(x, 5, 1, 0, huge), ShapeError);
    EXPECT_THROW(max_pool2d(x, huge), ShapeError);
    EXPECT_THROW(avg_pool2d(x, 2, huge), ShapeError);
    EXPECT_THROW(max_pool2d(x, 2, 1, huge), ShapeError);
  }
  // Both sizes are in range, and the product of a kernel's is not.
  EXPECT_THROW(im2col(x, Shape{1 << 20, 1 << 20}, {.padding = 1 << 20}), ShapeError);
  EXPECT_EQ(message_of<ShapeError>([&] { conv2d(x, w, {}, {.dilation = int64_t{1} << 40}); }),
            "conv2d: dilation (1099511627776,); expected at most 2147483647");
}

}  // namespace
}  // namespace adjoint
