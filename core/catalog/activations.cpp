// Rows of activations.
#include <adjoint/core/activations.h>
#include <adjoint/core/random.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/along.h"
#include "core/catalog/pointwise_rows.h"

namespace adjoint::catalog {
namespace {

// Some beyond 3 and beyond 6.
constexpr Domain kWide{&both_signs, 0.3, 7.9};

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double softplus_of(double x) { return std::log1p(std::exp(x)); }
double six_of(double x) { return std::min(std::max(x, 0.0), 6.0); }
double elu_of(double x, double alpha, double unit) {
  return x > 0 ? x : alpha * std::expm1(x / unit);
}

const Simple kSimple[] = {
    {"sigmoid", &sigmoid, &sigmoid_of, kSigned},
    {"logsigmoid", &logsigmoid, [](double v) { return -softplus_of(-v); }, kWide},
    {"hardsigmoid", &hardsigmoid, [](double v) { return six_of(v + 3) / 6; }, kWide},
    {"relu", &relu, [](double v) { return std::max(v, 0.0); }, kSigned},
    {"relu6", &relu6, &six_of, kWide},
    {"selu", &selu, [](double v) { return 1.0507009873554805 * elu_of(v, 1.6732632423543772, 1); },
     kSigned},
    {"silu", &silu, [](double v) { return v * sigmoid_of(v); }, kSigned},
    {"mish", &mish, [](double v) { return v * std::tanh(softplus_of(v)); }, kWide},
    {"softsign", &softsign, [](double v) { return v / (1 + std::abs(v)); }, kSigned},
    {"tanhshrink", &tanhshrink,
     [](double v) { return static_cast<double>(v - std::tanh(static_cast<long double>(v))); },
     kWide},
    {"hardswish", &hardswish, [](double v) { return v * six_of(v + 3) / 6; }, kWide},
};

// The functions with parameters: with their defaults, and with others.
struct Parametric {
  const char* name;
  Function by_default;
  Number default_reference;
  const char* parameters;
  const char* torch;  // the same as PyTorch's arguments
  Function f;
  Number reference;
  Domain domain;
};

const Parametric kParametric[] = {
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); },
     [](double v) { return v > 0 ? v : 0.01 * v; }, "0.3", "0.3",
     [](const Tensor& x) { return leaky_relu(x, 0.3); },
     [](double v) { return v > 0 ? v : 0.3 * v; }, kSigned},
    {"elu", [](const Tensor& x) { return elu(x); }, [](double v) { return elu_of(v, 1, 1); },
     "alpha 0.7", "0.7", [](const Tensor& x) { return elu(x, 0.7); },
     [](double v) { return elu_of(v, 0.7, 1); }, kSigned},
    {"celu", [](const Tensor& x) { return celu(x); }, [](double v) { return elu_of(v, 1, 1); },
     "alpha 0.7", "0.7", [](const Tensor& x) { return celu(x, 0.7); },
     [](double v) { return elu_of(v, 0.7, 0.7); }, kSigned},
    {"softplus", [](const Tensor& x) { return softplus(x); }, &softplus_of, "beta 2, threshold 3",
     "2.0, 3.0", [](const Tensor& x) { return softplus(x, 2.0, 3.0); },
     [](double v) { return 2 * v > 3 ? v : softplus_of(2 * v) / 2; }, kWide},
    {"softshrink", [](const Tensor& x) { return softshrink(x); },
     [](double v) { return std::copysign(std::max(std::abs(v) - 0.5, 0.0), v); }, "0.75", "0.75",
     [](const Tensor& x) { return softshrink(x, 0.75); },
     [](double v) { return std::copysign(std::max(std::abs(v) - 0.75, 0.0), v); }, kSigned},
    {"hardshrink", [](const Tensor& x) { return hardshrink(x); },
     [](double v) { return std::abs(v) > 0.5 ? v : 0.0; }, "0.75", "0.75",
     [](const Tensor& x) { return hardshrink(x, 0.75); },
     [](double v) { return std::abs(v) > 0.75 ? v : 0.0; }, kSigned},
    {"hardtanh", [](const Tensor& x) { return hardtanh(x); },
     [](double v) { return std::min(std::max(v, -1.0), 1.0); }, "-0.5, 2", "-0.5, 2.0",
     [](const Tensor& x) { return hardtanh(x, -0.5, 2.0); },
     [](double v) { return std::min(std::max(v, -0.5), 2.0); }, kWide},
    {"threshold", [](const Tensor& x) { return threshold(x, 0.25, -1.5); },
     [](double v) { return v > 0.25 ? v : -1.5; }, "-0.5, 2", "-0.5, 2.0",
     [](const Tensor& x) { return threshold(x, -0.5, 2.0); },
     [](double v) { return v > -0.5 ? v : 2.0; }, kSigned},
};

Row gelu_row() {
  Row row = unary_row("gelu", Function([](const Tensor& x) { return gelu(x); }),
                      Number([](double v) { return 0.5 * v * std::erfc(-v / std::sqrt(2.0)); }),
                      kSigned, 8);
  add_sample(row, "(4, 3), tanh", kSigned({4, 3}, 6),
             Function([](const Tensor& x) { return gelu(x, Gelu::tanh); }), Number([](double v) {
               const double root = std::sqrt(2 / std::acos(-1.0));
               return 0.5 * v * (1 + std::tanh(root * (v + 0.044715 * v * v * v)));
             }),
             "gelu(x[0], approximate='tanh')");
  // 1 + tanh cancels in the reference for negative arguments.
  row.scale = 0.05;
  return row;
}

Row prelu_row() {
  const TensorFunction run = binary([](const Tensor& x, const Tensor& w) { return prelu(x, w); });
  const TensorFunction reference = [](const Tensors& in) -> Tensors {
    const Array x(in[0]), w(in[1]);
    return {make_array(x.shape, [&](const Shape& i) {
              const int64_t channel = w.data.size() > 1 ? i[1] : 0;
              return x.at(i) > 0 ? x.at(i) : w.data[static_cast<size_t>(channel)] * x.at(i);
            }).tensor()};
  };
  Row row{"prelu",
          {{"(2, 3, 4), (3)", {kSigned({2, 3, 4}, 1), kSigned({3}, 2)}, run, reference},
           {"(4, 3) strided, (1)", {strided(kSigned({4, 3}, 3)), kSigned({1}, 4)}, run, reference},
           {"(0, 3), (3)", {kSigned({0, 3}, 5), kSigned({3}, 6)}, run, reference},
           {"(), ()", {kSigned({}, 7), kSigned({}, 8)}, run, reference}}};
  row.torch = "prelu(*x)";
  row.errors = {error("a weight of another length",
                      [] {
                        return prelu(ones({2, 3}), ones({2}));
                      },
                      {"prelu: ", "(2,)", "(2, 3)", "expected 1 or 3 elements"}),
                error("another dtype",
                      [] {
                        return prelu(ones({2, 3}), ones({3}, DType::f64));
                      },
                      {"prelu: ", "f32", "f64", "expected one floating dtype"}),
                error("an undefined weight",
                      [] {
                        return prelu(ones({2, 3}), Tensor());
                      },
                      {"prelu: ", "input 1", "undefined"})};
  row.large = [=] {
    return Sample{
        "(129, 7, 301), (7)", {kSigned({129, 7, 301}, 9), kSigned({7}, 10)}, run, reference};
  };
  // Sums of many products, in another order in each dtype.
  row.gradient_ulps = 256;
  return row;
}

constexpr uint64_t kSeed = 5, kStream = 9;

// Element i of 24 bits in [0, 1).
float uniform(uint64_t i) {
  return static_cast<float>(philox(kSeed, kStream, i / 4).word[i % 4] >> 8) * 0x1p-24f;
}

Row rrelu_row() {
  const auto sample = [](const std::string& name, const Tensor& x) {
    return Sample{name,
                  {x},
                  unary([](const Tensor& v) {
                    Generator generator(kSeed, kStream);
                    return rrelu(v, 0.125, 0.5, true, generator);
                  }),
                  [](const Tensors& in) -> Tensors {
                    Array y(in[0]);
                    uint64_t i = 0;
                    for (double& v : y.data) {
                      const float slope = uniform(i++) * 0.375f + 0.125f;
                      v = v > 0 ? v : double{slope} * v;
                    }
                    return {y.tensor()};
                  }};
  };
  Row row{"rrelu",
          {sample("(2, 3, 2)", kSigned({2, 3, 2}, 1)),
           sample("(4, 3) strided", strided(kSigned({4, 3}, 2))),
           sample("(3, 0)", kSigned({3, 0}, 3)), sample("()", kSigned({}, 4))}};
  add_sample(row, "(4, 3), not training", kSigned({4, 3}, 5),
             Function([](const Tensor& x) { return rrelu(x, 0.125, 0.5); }),
             Number([](double v) { return v > 0 ? v : 0.3125 * v; }), "rrelu(x[0], 0.125, 0.5)");
  row.errors = {
      error("bounds in disorder", [] { return rrelu(ones({2}), 0.5, 0.25); },
            {"rrelu: ", "0.5", "0.25", "expected lower <= upper"}),
      error("whole numbers", [] { return rrelu(ones({2}, DType::i64)); },
            {"rrelu: ", "i64", "expected a floating dtype"}),
      error("an undefined tensor", [] { return rrelu(Tensor()); }, {"rrelu: ", "undefined"})};
  row.large = [=] { return sample("(257, 1031)", kSigned({257, 1031}, 6)); };
  return row;
}

// `of(first, second)` of the halves along dim; `torch` as a function of x[0] and the dimension.
Row gated_row(const std::string& name, Tensor (*f)(const Tensor&, int64_t),
              double (*of)(double, double), const std::string& torch) {
  const auto sample = [f, of, torch](const std::string& what, const Tensor& x, int64_t dim) {
    Sample one{what + ", dim " + std::to_string(dim),
               {x},
               unary([f, dim](const Tensor& v) { return f(v, dim); }),
               [of, dim](const Tensors& in) -> Tensors {
                 const Array a(in[0]);
                 const int d = static_cast<int>(dim < 0 ? dim + a.shape.rank() : dim);
                 Shape half = a.shape;
                 const int64_t size = a.shape[d] / 2;
                 half[d] = size;
                 return {make_array(half, [&](const Shape& i) {
                           Shape second = i;
                           second[d] += size;
                           return of(a.at(i), a.at(second));
                         }).tensor()};
               }};
    one.torch = "(" + torch + ")(x[0], " + std::to_string(dim) + ")";
    return one;
  };
  Row row{name,
          {sample("(2, 3, 4)", kSigned({2, 3, 4}, 1), -1),
           sample("(4, 3) strided", strided(kSigned({4, 3}, 2)), 0),
           sample("(2, 4, 3)", kSigned({2, 4, 3}, 3), 1), sample("(0, 4)", kSigned({0, 4}, 4), 1)}};
  row.errors = {
      error("an odd size",
            [f] {
              return f(ones({2, 3}), 1);
            },
            {name + ": ", "(2, 3)", "3 elements", "expected an even number"}),
      error("a dimension that is not there",
            [f] {
              return f(ones({2, 4}), 2);
            },
            {name + ": ", "2"}),
      error("whole numbers", [f] { return f(ones({4}, DType::i64), 0); }, {name + ": ", "i64"}),
      error("an undefined tensor", [f] { return f(Tensor(), 0); }, {name + ": ", "undefined"})};
  row.large = [=] { return sample("(257, 1032)", kSigned({257, 1032}, 5), 1); };
  row.bf16_roundings = 3;  // of the activation, and of the product
  return row;
}

Row softmin_row() {
  const auto sample = [](const std::string& what, const Tensor& x, int64_t dim) {
    Sample one{what + ", dim " + std::to_string(dim),
               {x},
               unary([dim](const Tensor& v) { return softmin(v, dim); }),
               along(dim, [](std::vector<double>& line, uint64_t) {
                 for (double& v : line) v = -v;
                 softmax_of(line);
               })};
    one.torch = "F.softmin(x[0], " + std::to_string(dim) + ")";
    return one;
  };
  Row row{"softmin",
          {sample("(2, 3, 4)", kSigned({2, 3, 4}, 1), 1),
           sample("(4, 3) strided", strided(kSigned({4, 3}, 2)), 0),
           sample("(3, 0)", kSigned({3, 0}, 3), 0), sample("()", kSigned({}, 4), 0)}};
  row.errors = {
      error("a dimension that is not there", [] { return softmin(ones({2}), 1); },
            {"softmin: ", "1"}),
      error("an undefined tensor", [] { return softmin(Tensor(), 0); }, {"softmin: ", "undefined"}),
      error("whole numbers", [] { return softmin(arange(3), 0); },
            {"softmax: ", "i64", "expected a floating dtype"})};
  row.large = [=] { return sample("(257, 1031)", kSigned({257, 1031}, 5), 1); };
  row.ulps = 8;
  return row;
}

Row gumbel_softmax_row() {
  const auto sample = [](const std::string& what, const Tensor& x, double tau) {
    return Sample{what + ", tau " + std::to_string(tau),
                  {x},
                  unary([tau](const Tensor& v) {
                    Generator generator(kSeed, kStream);
                    return gumbel_softmax(v, tau, false, -1, generator);
                  }),
                  along(-1, [tau](std::vector<double>& line, uint64_t first) {
                    for (double& v : line) {
                      v = (v - std::log(-std::log1p(-double{uniform(first++)}))) / tau;
                    }
                    softmax_of(line);
                  })};
  };
  Row row{"gumbel_softmax",
          {sample("(2, 3, 4)", kSigned({2, 3, 4}, 1), 1.0),
           sample("(4, 3) strided", strided(kSigned({4, 3}, 2)), 0.5),
           sample("(0, 3)", kSigned({0, 3}, 3), 1.0), sample("(5)", kSigned({5}, 4), 2.0)}};
  row.errors = {
      error("a dimension that is not there",
            [] { return gumbel_softmax(ones({2}), 1.0, false, 1); }, {"gumbel_softmax: ", "1"}),
      error("whole numbers", [] { return gumbel_softmax(ones({2}, DType::i64)); },
            {"gumbel_softmax: ", "i64", "expected a floating dtype"}),
      error("an undefined tensor", [] { return gumbel_softmax(Tensor()); },
            {"gumbel_softmax: ", "undefined"})};
  row.large = [=] { return sample("(257, 1031)", kSigned({257, 1031}, 5), 1.0); };
  // The noise, to 16, is rounded before it becomes an exponent.
  row.ulps = 64;
  return row;
}

void add_errors(Row& row) {
  if (row.name == "celu") {
    row.errors.push_back(error("no alpha", [] { return celu(ones({2}), 0.0); },
                               {"celu: ", "alpha is 0", "expected another number"}));
  } else if (row.name == "hardtanh") {
    row.errors.push_back(error("bounds in disorder", [] { return hardtanh(ones({2}), 1.0, -1.0); },
                               {"hardtanh: ", "min_val 1", "max_val -1", "expected"}));
  } else if (row.name == "softshrink") {
    row.errors.push_back(error("a negative width", [] { return softshrink(ones({2}), -0.5); },
                               {"softshrink: ", "-0.5", "expected 0 or more"}));
  }
}

}  // namespace

void add_activations(std::vector<Row>& rows) {
  for (const Simple& one : kSimple) {
    rows.push_back(unary_row(one.name, one.f, one.reference, one.domain, one.ulps));
  }
  for (const Parametric& one : kParametric) {
    Row row = unary_row(one.name, one.by_default, one.default_reference, one.domain);
    add_sample(row, std::string("(4, 3), ") + one.parameters, one.domain({4, 3}, 6), one.f,
               one.reference, row.name + "(x[0], " + one.torch + ")");
    if (row.name == "threshold") row.torch = "threshold(x[0], 0.25, -1.5)";
    add_errors(row);
    rows.push_back(std::move(row));
  }
  rows.push_back(gelu_row());
  rows.push_back(unary_row("quick_gelu", Function(&quick_gelu),
                           Number([](double v) { return v * sigmoid_of(1.702 * v); }), kSigned));
  rows.back().torch = "x[0] * sigmoid(1.702 * x[0])";
  rows.back().errors = {error("an undefined tensor", [] { return quick_gelu(Tensor()); },
                              {"quick_gelu: ", "undefined"}),
                        error("whole numbers", [] { return quick_gelu(arange(3)); },
                              {"quick_gelu: ", "i64", "expected a floating dtype"}),
                        missing_gradient("mul", rows.back().samples.front())};
  rows.push_back(prelu_row());
  rows.push_back(rrelu_row());
  rows.push_back(gated_row(
      "glu", &glu, [](double a, double b) { return a * sigmoid_of(b); }, "F.glu"));
  rows.push_back(gated_row(
      "swiglu", &swiglu, [](double a, double b) { return a * sigmoid_of(a) * b; },
      "lambda v, d: F.silu(v.chunk(2, d)[0]) * v.chunk(2, d)[1]"));
  rows.push_back(softmin_row());
  rows.push_back(gumbel_softmax_row());
}

}  // namespace adjoint::catalog
