// Rows of random tensors: what Philox gives, worked out from its words.
#include "core/catalog/random_rows.h"

namespace adjoint::catalog {
namespace {

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
  row.errors = {
      error("an integer dtype", [f] { return f({2}, DType::i64, default_generator()); },
            {name + ": ", "i64"}),
      error("a negative size", [f] { return f({-1}, DType::f32, default_generator()); },
            {name + ": ", "-1"}),
      error("more than memory can hold",
            [f] {
              return f({int64_t{1} << 40, int64_t{1} << 40}, DType::f32, default_generator());
            },
            {name + ": ", "too many elements"})};
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
  row.samples.push_back(made(
      "(4, 3) in [0, 2) of bools", {4, 3}, DType::boolean,
      [](Generator& g) {
        return randint(0, 2, {4, 3}, DType::boolean, g);
      },
      [](uint64_t i) { return static_cast<double>(scaled(two_words(i), 2)); }));
  row.errors = {
      error("no integers between", [] { return randint(2, 2, {3}); }, {"randint: ", "[2, 2)"}),
      error("bounds the wrong way round", [] { return randint(3, -1, {3}); },
            {"randint: ", "[3, -1)", "low < high"}),
      error("a negative size",
            [] {
              return randint(0, 2, {3, -1});
            },
            {"randint: ", "(3, -1)"})};
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
  row.errors = {error("a negative count", [] { return randperm(-1); }, {"randperm: ", "-1"}),
                error("the smallest count", [] { return randperm(INT64_MIN); },
                      {"randperm: ", "-9223372036854775808"}),
                error("more than memory can hold", [] { return randperm(int64_t{1} << 60); },
                      {"arange: ", "1152921504606846976"})};
  row.differentiable = false;
  return row;
}

}  // namespace

void add_random(std::vector<Row>& rows) {
  rows.push_back(floating_row("rand", &rand, &uniform_number));
  rows.push_back(floating_row("randn", &randn, &normal_number));
  // cos and sin of angles up to 2 pi near their zeros.
  rows.back().scale = 1;
  rows.push_back(randint_row());
  rows.push_back(randperm_row());
}

}  // namespace adjoint::catalog
