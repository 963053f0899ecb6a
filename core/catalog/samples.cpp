// Rows of distributions: what Philox gives, worked out from its words.
#include <algorithm>
#include <numeric>
#include <optional>

#include "core/catalog/random_rows.h"

namespace adjoint::catalog {
namespace {

// A row whose samples are of f64: `make(shape, generator)`.
template <class Make, class Value>
Row numbers_row(const std::string& name, Make make, Value value) {
  Row row{name, {}};
  for (const Shape& shape : {Shape{3, 5}, Shape{0, 2}, Shape{}}) {
    row.samples.push_back(made(
        to_string(shape), shape, DType::f64, [=](Generator& g) { return make(shape, g); }, value));
  }
  row.f64_only = true;
  row.differentiable = false;
  return row;
}

Row uniform_row() {
  const auto f = [](double low, double high, DType dtype) {
    return [=] { return uniform(low, high, {2}, dtype); };
  };
  Row row = numbers_row(
      "uniform",
      [](const Shape& shape, Generator& g) { return uniform(-1.5, 2.5, shape, DType::f64, g); },
      [](uint64_t i) { return 4 * uniform_number(i) - 1.5; });
  row.scale = 2.5;
  row.errors = {error("bounds the wrong way round", f(1, 0, DType::f32), {"uniform: ", "[1, 0)"}),
                error("a bound that is not finite", f(0, HUGE_VAL, DType::f32),
                      {"uniform: ", "inf", "finite"}),
                error("an integer dtype", f(0, 1, DType::i64), {"uniform: ", "i64"})};
  return row;
}

// mean + std z, of numbers or of tensors that broadcast.
Row normal_row() {
  const auto plain = [](const Shape& shape, Generator& g) {
    return normal(0.5, 2, shape, DType::f64, g);
  };
  Row row = numbers_row("normal", plain, [](uint64_t i) { return 0.5 + 2 * normal_number(i); });
  // cos and sin of angles up to 2 pi near their zeros.
  row.scale = 4;
  const Tensor means = spread({2, 3}, -1, 1, 1), stds = spread({3}, 0.5, 1.5, 2);
  const auto reference = [](const Array& mean, const Array& std) -> Tensors {
    uint64_t i = 0;
    const Shape shape = broadcast_shapes("reference", mean.shape, std.shape);
    return {make_array(shape, [&](const Shape& index) {
              return mean.broadcast(index) + std.broadcast(index) * normal_number(i++);
            }).tensor()};
  };
  row.samples.push_back(
      {"(2, 3) strided and (3)",
       {strided(means), stds},
       [](const Tensors& in) -> Tensors {
         Generator g(kSeed, kOffset);
         return {normal(in[0], in[1], g)};
       },
       [=](const Tensors& in) -> Tensors { return reference(Array(in[0]), Array(in[1])); }});
  row.samples.push_back(
      {"(2, 3) and one for all",
       {means},
       [](const Tensors& in) -> Tensors {
         Generator g(kSeed, kOffset);
         return {normal(in[0], 0.5, g)};
       },
       [=](const Tensors& in) -> Tensors { return reference(Array(in[0]), Array(Shape{}, 0.5)); }});
  row.samples.push_back({"one for all and (3)",
                         {stds},
                         [](const Tensors& in) -> Tensors {
                           Generator g(kSeed, kOffset);
                           return {normal(-0.5, in[0], g)};
                         },
                         [=](const Tensors& in) -> Tensors {
                           return reference(Array(Shape{}, -0.5), Array(in[0]));
                         }});
  row.errors = {
      error("a negative deviation", [] { return normal(0, -1, {2}); }, {"normal: ", "std is -1"}),
      error("a negative deviation among them",
            [] {
              return normal(zeros({2}), tensor<float>({1, -2}));
            },
            {"normal: ", "-2"}),
      error("shapes that do not broadcast", [] { return normal(zeros({2}), ones({3})); },
            {"normal: ", "(2,)", "(3,)"}),
      error("whole numbers", [] { return normal(zeros({2}, DType::i64), 1.0); },
            {"normal: ", "i64"})};
  return row;
}

Row exponential_row() {
  Row row = numbers_row(
      "exponential",
      [](const Shape& shape, Generator& g) { return exponential(0.5, shape, DType::f64, g); },
      [](uint64_t i) { return -2 * std::log1p(-uniform_number(i)); });
  const auto f = [](double lambd, DType dtype) {
    return [=] { return exponential(lambd, {2}, dtype); };
  };
  row.errors = {error("a rate of 0", f(0, DType::f32), {"exponential: ", "lambd is 0"}),
                error("a rate that is not finite", f(HUGE_VAL, DType::f32),
                      {"exponential: ", "inf", "finite"}),
                error("an integer dtype", f(1, DType::i64), {"exponential: ", "i64"})};
  return row;
}

// By the inverse of its distribution function, the sides taken apart: log(2 - 2 u) above 0, and
// below it of what is left of 2 u.
Row laplace_row() {
  Row row = numbers_row(
      "laplace",
      [](const Shape& shape, Generator& g) { return laplace(0.5, 2, shape, DType::f64, g); },
      [](uint64_t i) {
        const double u = uniform_number(i);
        return u < 0.5 ? 0.5 + 2 * std::log1p(-2 * u) : 0.5 - 2 * std::log1p(1 - 2 * u);
      });
  row.scale = 1;
  const auto f = [](double scale, DType dtype) {
    return [=] { return laplace(0, scale, {2}, dtype); };
  };
  row.errors = {error("a scale of 0", f(0, DType::f32), {"laplace: ", "scale is 0"}),
                error("a negative scale", f(-1, DType::f32), {"laplace: ", "-1"}),
                error("an integer dtype", f(1, DType::i64), {"laplace: ", "i64"})};
  return row;
}

// The x with F(x) = F(a) + u (F(b) - F(a)), by halves of [a, b], F being the normal distribution's.
double truncated(double mean, double std, double a, double b, double u) {
  const auto below = [&](double x) { return 0.5 * std::erfc((mean - x) / std / std::sqrt(2.0)); };
  const double wanted = below(a) + u * (below(b) - below(a));
  double low = a, high = b;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (below(middle) < wanted ? low : high) = middle;
  }
  return low;
}

Row trunc_normal_row() {
  Row row = numbers_row(
      "trunc_normal",
      [](const Shape& shape, Generator& g) {
        return trunc_normal(0, 1, -2, 2, shape, DType::f64, g);
      },
      [](uint64_t i) { return truncated(0, 1, -2, 2, uniform_number(i)); });
  // On the other side of the mean the numbers are mirrored, and with them u.
  row.samples.push_back(made(
      "(4, 3) above 0", {4, 3}, DType::f64,
      [](Generator& g) {
        return trunc_normal(-1, 2, 0, 3, {4, 3}, DType::f64, g);
      },
      [](uint64_t i) { return truncated(-1, 2, 0, 3, 1 - uniform_number(i)); }));
  // 1 - erf loses what the density at the bounds, 0.05 of that at the mean, does not give back.
  row.scale = 4;
  row.ulps = 40;
  const auto f = [](double std, double a, double b, DType dtype) {
    return [=] { return trunc_normal(0, std, a, b, {2}, dtype); };
  };
  row.errors = {
      error("a deviation of 0", f(0, -2, 2, DType::f32), {"trunc_normal: ", "std 0"}),
      error("bounds the wrong way round", f(1, 2, -2, DType::f32), {"trunc_normal: ", "[2, -2]"}),
      error("an integer dtype", f(1, -2, 2, DType::i64), {"trunc_normal: ", "i64"})};
  return row;
}

Row bernoulli_row() {
  const auto of = [](const Tensors& in) -> Tensors {
    Generator g(kSeed, kOffset);
    return {bernoulli(in[0], g)};
  };
  const auto one_for_all = [](const Tensors& in) -> Tensors {
    Generator g(kSeed, kOffset);
    return {bernoulli(in[0], 0.25, g)};
  };
  const auto reference = [](std::optional<double> p, DType dtype) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors {
      Array y(in[0]);
      for (size_t i = 0; i < y.data.size(); ++i) {
        y.data[i] = uniform_number(i) < p.value_or(y.data[i]) ? 1 : 0;
      }
      return {y.tensor(dtype)};
    };
  };
  const Tensor p = spread({3, 5}, 0, 1);
  Row row{"bernoulli",
          {{"(3, 5)", {p}, of, reference({}, DType::f64)},
           {"(3, 5) strided", {strided(p)}, of, reference({}, DType::f64)},
           {"(0, 2)", {zeros({0, 2}, DType::f64)}, of, reference({}, DType::f64)},
           {"(4, 3), a quarter", {spread({4, 3}, 0, 9)}, one_for_all, reference(0.25, DType::f64)},
           {"(7) of i64, a quarter", {indices({7}, 5)}, one_for_all, reference(0.25, DType::i64)}}};
  row.errors = {error("a probability above 1",
                      [] {
                        return bernoulli(tensor<float>({0.5F, 1.5F}));
                      },
                      {"bernoulli: ", "1.5", "(1,)", "[0, 1]"}),
                error("one for all below 0", [] { return bernoulli(ones({2}), -0.5); },
                      {"bernoulli: ", "-0.5"}),
                error("whole numbers", [] { return bernoulli(ones({2}, DType::i64)); },
                      {"bernoulli: ", "i64"})};
  row.differentiable = false;
  return row;
}

// The first column at which the sum of weights is beyond u of all.
int64_t column_at(const std::vector<double>& weights, double u) {
  const double wanted = u * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  for (size_t c = 0; c < weights.size(); ++c) {
    sum += weights[c];
    if (wanted < sum) return static_cast<int64_t>(c);
  }
  return -1;
}

Row multinomial_row() {
  const auto sample = [](const std::string& name, const Tensor& weights, int64_t samples,
                         bool replacement) {
    const TensorFunction reference = [=](const Tensors& in) -> Tensors {
      const Array w(in[0]);
      const int64_t columns = w.shape.back();
      Shape shape = w.shape;
      shape[shape.rank() - 1] = samples;
      Array y(shape);
      for (size_t row = 0; row < w.data.size() / static_cast<size_t>(columns); ++row) {
        const auto begin = w.data.begin() + static_cast<int64_t>(row) * columns;
        std::vector<double> own(begin, begin + columns), times;
        for (size_t c = 0; c < own.size(); ++c) {
          const double u = uniform_number(row * own.size() + c);
          times.push_back(own[c] > 0 ? -std::log(1 - u) / own[c] : HUGE_VAL);
        }
        for (int64_t i = 0; i < samples; ++i) {
          const uint64_t at = row * static_cast<uint64_t>(samples) + static_cast<uint64_t>(i);
          const auto first = std::min_element(times.begin(), times.end());
          y.data[at] = static_cast<double>(replacement ? column_at(own, uniform_number(at))
                                                       : first - times.begin());
          *first = HUGE_VAL;
        }
      }
      return {y.tensor(DType::i64)};
    };
    return Sample{name,
                  {weights},
                  [=](const Tensors& in) -> Tensors {
                    Generator g(kSeed, kOffset);
                    return {multinomial(in[0], samples, replacement, g)};
                  },
                  reference};
  };
  const Tensor w = spread({3, 5}, 0.1, 2);
  Row row{"multinomial",
          {sample("(5), three", spread({5}, 0.1, 2), 3, false), sample("(3, 5), all", w, 5, false),
           sample("(3, 5) strided, seven with replacement", strided(w), 7, true),
           sample("(4) with zeros, with replacement", tensor({2.0, 0.0, 0.0, 1.0}), 9, true),
           sample("(4) with zeros", tensor({2.0, 0.0, 0.0, 1.0}), 2, false),
           sample("(0, 5)", zeros({0, 5}, DType::f64), 2, false)}};
  row.errors = {error("more than columns", [] { return multinomial(ones({3}), 4); },
                      {"multinomial: ", "4 samples", "3 columns"}),
                error("more than weights above 0",
                      [] {
                        return multinomial(tensor<float>({1, 0, 0}), 2);
                      },
                      {"multinomial: ", "2 samples of 1"}),
                error("a negative weight",
                      [] {
                        return multinomial(tensor<float>({1, -1}), 1);
                      },
                      {"multinomial: ", "-1", "column 1"}),
                error("nothing but zeros", [] { return multinomial(zeros({3}), 1, true); },
                      {"multinomial: ", "add up to 0"}),
                error("whole numbers", [] { return multinomial(ones({3}, DType::i64), 1); },
                      {"multinomial: ", "i64"}),
                error("three dimensions",
                      [] {
                        return multinomial(ones({2, 3, 4}), 1);
                      },
                      {"multinomial: ", "(2, 3, 4)"})};
  row.differentiable = false;
  return row;
}

// Of the shape of an input, whose elements do not matter.
template <class Make, class Value>
Row like_row(const std::string& name, Make make, Value value, DType dtype) {
  const auto run = [make](const Tensors& in) -> Tensors {
    Generator g(kSeed, kOffset);
    return {make(in[0], std::optional<DType>(), g)};
  };
  const auto other = [make](const Tensors& in) -> Tensors {
    Generator g(kSeed, kOffset);
    return {make(in[0], std::optional<DType>(DType::f64), g)};
  };
  const auto reference = [value](DType result) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors {
      uint64_t i = 0;
      return {make_array(in[0].shape(), [&](const Shape&) { return value(i++); }).tensor(result)};
    };
  };
  const auto ones_of = [dtype](const Shape& shape) { return ones(shape, dtype); };
  Row row{name,
          {{"(3, 5)", {ones_of({3, 5})}, run, reference(dtype)},
           {"(3, 5) strided", {strided(ones_of({3, 5}))}, run, reference(dtype)},
           {"(0, 2)", {ones_of({0, 2})}, run, reference(dtype)},
           {"() of i64 as f64", {ones({}, DType::i64)}, other, reference(DType::f64)}}};
  row.errors = {
      error("an undefined tensor",
            [make] { return make(Tensor(), std::optional<DType>(), default_generator()); },
            {name + ": ", "undefined"})};
  row.f64_only = true;
  row.differentiable = false;
  return row;
}

template <class Make, class Value>
Row floating_like_row(const std::string& name, Make make, Value value) {
  Row row = like_row(name, make, value, DType::f64);
  row.errors.push_back(error(
      "an integer dtype",
      [make] { return make(ones({2}), std::optional<DType>(DType::i64), default_generator()); },
      {name + ": ", "i64"}));
  row.errors.push_back(error("a tensor of bools",
                             [make] {
                               return make(ones({2}, DType::boolean), std::optional<DType>(),
                                           default_generator());
                             },
                             {name + ": ", "bool"}));
  return row;
}

Row randint_like_row() {
  Row row = like_row(
      "randint_like",
      [](const Tensor& x, std::optional<DType> dtype, Generator& g) {
        return randint_like(x, -2, 5, dtype, g);
      },
      [](uint64_t i) { return static_cast<double>(scaled(two_words(i), 7)) - 2; }, DType::i64);
  row.errors.push_back(error("no integers between", [] { return randint_like(ones({2}), 3, 3); },
                             {"randint_like: ", "[3, 3)"}));
  row.errors.push_back(error("bounds the wrong way round",
                             [] { return randint_like(ones({2}), 3, -1); },
                             {"randint_like: ", "[3, -1)"}));
  return row;
}

}  // namespace

void add_samples(std::vector<Row>& rows) {
  rows.push_back(floating_like_row(
      "rand_like",
      [](const Tensor& x, std::optional<DType> dtype, Generator& g) {
        return rand_like(x, dtype, g);
      },
      &uniform_number));
  rows.push_back(floating_like_row(
      "randn_like",
      [](const Tensor& x, std::optional<DType> dtype, Generator& g) {
        return randn_like(x, dtype, g);
      },
      &normal_number));
  rows.back().scale = 1;
  rows.push_back(randint_like_row());
  rows.push_back(uniform_row());
  rows.push_back(normal_row());
  rows.push_back(exponential_row());
  rows.push_back(laplace_row());
  rows.push_back(trunc_normal_row());
  rows.push_back(bernoulli_row());
  rows.push_back(multinomial_row());
}

}  // namespace adjoint::catalog
