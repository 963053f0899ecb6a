// Rows of random tensors: what Philox gives, worked out from its words.
#include <adjoint/core/random_tensors.h>

#include <cmath>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

constexpr uint64_t kSeed = 5, kOffset = 9;

uint32_t word(uint64_t i) { return philox(kSeed, kOffset, i / 4).word[i % 4]; }
uint64_t two_words(uint64_t i) { return uint64_t{word(2 * i + 1)} << 32 | word(2 * i); }

// floor(bits range / 2^64), by halves.
uint64_t scaled(uint64_t bits, uint64_t range) {
  const uint64_t low = (bits & 0xffffffff) * range, high = (bits >> 32) * range;
  return (high + (low >> 32)) >> 32;
}

// `make(generator)` against value(i) for each element.
template <class Make, class Value>
Sample made(const std::string& name, const Shape& shape, DType dtype, Make make, Value value) {
  return {name,
          {},
          [=](const Tensors&) -> Tensors {
            Generator generator(kSeed, kOffset);
            return {make(generator)};
          },
          [=](const Tensors&) -> Tensors {
            uint64_t i = 0;
            return {make_array(shape, [&](const Shape&) { return value(i++); }).tensor(dtype)};
          }};
}

double uniform(uint64_t i) { return static_cast<double>(two_words(i) >> 11) * 0x1p-53; }

// Box and Muller (1958): elements 2 k and 2 k + 1 are the two parts of one pair.
double normal(uint64_t i) {
  const uint64_t pair = i / 2 * 2;
  const double u = static_cast<double>((two_words(pair) >> 11) + 1) * 0x1p-53;
  const double radius = std::sqrt(-2 * std::log(u));
  const double angle = 2 * std::acos(-1.0) * uniform(pair + 1);
  return radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

template <class Make, class Value>
std::vector<Sample> shapes(Make make, Value value) {
  std::vector<Sample> samples;
  for (const Shape& shape : {Shape{3, 5}, Shape{0, 2}, Shape{}, Shape{17}}) {
    samples.push_back(made(
        to_string(shape), shape, DType::f64, [=](Generator& g) { return make(shape, g); }, value));
  }
  return samples;
}

Row floating_row(const std::string& name, Tensor (*f)(const Shape&, DType, Generator&),
                 double (*value)(uint64_t)) {
  const auto make = [f](const Shape& shape, Generator& g) { return f(shape, DType::f64, g); };
  Row row{name, shapes(make, value)};
  row.errors = {error("an integer dtype", [f] { return f({2}, DType::i64, default_generator()); },
                      {name + ": ", "i64"}),
                error("a negative size", [f] { return f({-1}, DType::f32, default_generator()); },
                      {name + ": ", "-1"})};
  row.large = [=] {
    return made(
        "(257, 1031)", {257, 1031}, DType::f64,
        [make](Generator& g) {
          return make({257, 1031}, g);
        },
        value);
  };
  row.f64_only = true;
  row.differentiable = false;
  return row;
}

Row randint_row() {
  const auto sample = [](const Shape& shape, int64_t low, int64_t high) {
    return made(
        to_string(shape) + " in [" + std::to_string(low) + ", " + std::to_string(high) + ")", shape,
        DType::i64, [=](Generator& g) { return randint(low, high, shape, g); },
        [=](uint64_t i) {
          const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
          return static_cast<double>(low + static_cast<int64_t>(scaled(two_words(i), range)));
        });
  };
  Row row{"randint", {sample({3, 5}, 0, 10), sample({0, 2}, 0, 2), sample({7}, -3, 3)}};
  row.errors = {
      error("no integers between", [] { return randint(2, 2, {3}); }, {"randint: ", "[2, 2)"})};
  row.large = [=] { return sample({257, 1031}, 0, 1000); };
  row.differentiable = false;
  return row;
}

Row randperm_row() {
  const auto sample = [](int64_t n) {
    return Sample{std::to_string(n),
                  {},
                  [n](const Tensors&) -> Tensors {
                    Generator generator(kSeed, kOffset);
                    return {randperm(n, generator)};
                  },
                  // Fisher and Yates, from the last element down.
                  [n](const Tensors&) -> Tensors {
                    Array y(Shape{n});
                    for (int64_t i = 0; i < n; ++i) y.at({i}) = static_cast<double>(i);
                    for (int64_t i = n - 1; i >= 0; --i) {
                      const uint64_t bits = two_words(static_cast<uint64_t>(n - 1 - i));
                      const auto j =
                          static_cast<int64_t>(scaled(bits, static_cast<uint64_t>(i + 1)));
                      std::swap(y.at({i}), y.at({j}));
                    }
                    return {y.tensor(DType::i64)};
                  }};
  };
  Row row{"randperm", {sample(7), sample(0), sample(1), sample(300)}};
  row.errors = {error("a negative count", [] { return randperm(-1); }, {"randperm: ", "-1"})};
  row.differentiable = false;
  return row;
}

}  // namespace

void add_random(std::vector<Row>& rows) {
  rows.push_back(floating_row("rand", &rand, &uniform));
  rows.push_back(floating_row("randn", &randn, &normal));
  // cos and sin of angles up to 2 pi near their zeros.
  rows.back().scale = 1;
  rows.push_back(randint_row());
  rows.push_back(randperm_row());
}

}  // namespace adjoint::catalog
