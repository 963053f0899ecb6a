#include <adjoint/core/error.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/random.h>
#include <adjoint/data/digits.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace adjoint::data {
namespace {

constexpr int64_t kSize = 28;
constexpr uint64_t kSalt = 0x64'69'67'69'74;  // "digit"

struct Point {
  double x, y;
};

// The strokes in a square from 0 to 1, y downwards.
const std::array<std::vector<Point>, 10>& strokes() {
  static const std::array<std::vector<Point>, 10> all = {{
      {{.5, .1},
       {.32, .2},
       {.24, .5},
       {.32, .8},
       {.5, .9},
       {.68, .8},
       {.76, .5},
       {.68, .2},
       {.5, .1}},
      {{.34, .26}, {.52, .1}, {.52, .9}},
      {{.25, .3},
       {.32, .15},
       {.5, .1},
       {.68, .16},
       {.74, .32},
       {.66, .48},
       {.45, .68},
       {.25, .9},
       {.77, .9}},
      {{.27, .17},
       {.48, .1},
       {.68, .18},
       {.7, .34},
       {.58, .46},
       {.45, .49},
       {.65, .55},
       {.74, .7},
       {.66, .85},
       {.47, .91},
       {.25, .83}},
      {{.62, .9}, {.62, .1}, {.22, .65}, {.8, .65}},
      {{.72, .1},
       {.34, .1},
       {.3, .46},
       {.5, .41},
       {.7, .5},
       {.75, .68},
       {.66, .85},
       {.46, .91},
       {.26, .83}},
      {{.68, .13},
       {.5, .1},
       {.34, .25},
       {.27, .5},
       {.29, .75},
       {.42, .9},
       {.6, .89},
       {.72, .75},
       {.7, .58},
       {.56, .49},
       {.4, .52},
       {.29, .66}},
      {{.24, .1}, {.76, .1}, {.55, .5}, {.43, .9}},
      {{.5, .48},
       {.33, .38},
       {.31, .22},
       {.5, .1},
       {.69, .22},
       {.67, .38},
       {.5, .48},
       {.3, .6},
       {.27, .78},
       {.5, .91},
       {.73, .78},
       {.7, .6},
       {.5, .48}},
      {{.71, .36},
       {.6, .5},
       {.42, .51},
       {.29, .4},
       {.31, .2},
       {.48, .1},
       {.66, .17},
       {.71, .36},
       {.7, .6},
       {.62, .8},
       {.45, .91}},
  }};
  return all;
}

double between(Generator& random, double low, double high) {
  return low + (high - low) * random.next_uniform();
}

// The points as a hand draws them.
std::vector<Point> distorted(const std::vector<Point>& stroke, Generator& random) {
  const double turn = between(random, -0.25, 0.25), slant = between(random, -0.3, 0.3);
  const double wide = between(random, 0.7, 1.05), high = between(random, 0.75, 1.0);
  const double dx = between(random, -0.1, 0.1), dy = between(random, -0.08, 0.08);
  const double cosine = std::cos(turn), sine = std::sin(turn);
  std::vector<Point> result;
  for (const Point& point : stroke) {
    const double y = (point.y + between(random, -0.035, 0.035) - 0.5) * high;
    const double x = (point.x + between(random, -0.035, 0.035) - 0.5) * wide - slant * y;
    result.push_back({0.5 + dx + cosine * x - sine * y, 0.5 + dy + sine * x + cosine * y});
  }
  return result;
}

double distance_squared(const Point& p, const Point& a, const Point& b) {
  const double ux = b.x - a.x, uy = b.y - a.y, vx = p.x - a.x, vy = p.y - a.y;
  const double length = std::max(ux * ux + uy * uy, 1e-12);
  const double t = std::clamp((ux * vx + uy * vy) / length, 0.0, 1.0);
  const double x = vx - t * ux, y = vy - t * uy;
  return x * x + y * y;
}

// Draws a line over what is there; its edge fades over a pixel.
void draw(const std::vector<Point>& line, double radius, double brightness, uint8_t* to) {
  constexpr double kPixel = 1.0 / kSize;
  const double reach = radius + kPixel / 2;
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    const Point a = line[i], b = line[i + 1];
    // Only the pixels around the segment.
    const auto first = [&](double u, double v) {
      return std::max<int64_t>(static_cast<int64_t>((std::min(u, v) - reach) * kSize), 0);
    };
    const auto last = [&](double u, double v) {
      return std::min<int64_t>(static_cast<int64_t>((std::max(u, v) + reach) * kSize), kSize - 1);
    };
    for (int64_t y = first(a.y, b.y); y <= last(a.y, b.y); ++y) {
      for (int64_t x = first(a.x, b.x); x <= last(a.x, b.x); ++x) {
        const Point center{(static_cast<double>(x) + 0.5) * kPixel,
                           (static_cast<double>(y) + 0.5) * kPixel};
        const double distance = std::sqrt(distance_squared(center, a, b));
        const double covered = std::clamp((reach - distance) / kPixel, 0.0, 1.0);
        uint8_t& pixel = to[y * kSize + x];
        pixel = std::max(pixel, static_cast<uint8_t>(std::lround(255 * brightness * covered)));
      }
    }
  }
}

// Image `number`; returns its digit.
int64_t render(uint64_t seed, int64_t number, uint8_t* to) {
  // Streams far apart: no image draws so many numbers.
  Generator random(seed ^ kSalt, static_cast<uint64_t>(number) << 16);
  const auto digit = static_cast<int64_t>(random.next_below(10));
  const std::vector<Point> line = distorted(strokes()[static_cast<size_t>(digit)], random);
  const double radius = between(random, 0.025, 0.06), brightness = between(random, 0.6, 1.0);
  std::fill(to, to + kSize * kSize, uint8_t{0});
  draw(line, radius, brightness, to);
  if (random.next_below(4) == 0) {
    const Point from{between(random, 0.1, 0.9), between(random, 0.1, 0.9)};
    const double angle = between(random, 0, 2 * std::numbers::pi), length = between(random, .1, .3);
    const Point end{from.x + length * std::cos(angle), from.y + length * std::sin(angle)};
    draw({from, end}, radius / 2, brightness, to);
  }
  return digit;
}

}  // namespace

ImageSet render_digits(int64_t count, uint64_t seed) {
  check<ConfigError>(count >= 1, "render_digits: ", count, " images; expected at least 1");
  ImageSet set{empty({count, 1, kSize, kSize}, DType::u8), empty({count}, DType::i64), 10};
  auto* const images = set.images.mutable_data<uint8_t>();
  auto* const labels = set.labels.mutable_data<int64_t>();
  parallel_for(count, [&](int64_t i) { labels[i] = render(seed, i, images + i * kSize * kSize); });
  return set;
}

}  // namespace adjoint::data
