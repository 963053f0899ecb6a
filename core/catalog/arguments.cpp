// Arguments that few calls give, each as samples and errors of the row that an operator has anyway;
// and F.normalize.
#include <adjoint/core/activations.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/scans.h>
#include <adjoint/core/sorting.h>
#include <adjoint/core/vision.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/catalog/along.h"
#include "core/catalog/reduced.h"

namespace adjoint::catalog {
namespace {

Row& row_of(std::vector<Row>& rows, const std::string& name) {
  return *std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
}

Sample& add(Row& row, const std::string& name, const Tensors& in, const TensorFunction& run,
            const TensorFunction& reference, const std::string& torch) {
  Sample sample{name, in, run, reference};
  sample.torch = torch;
  row.samples.push_back(std::move(sample));
  return row.samples.back();
}

// --- dtype ---

// In f64, and then in the dtype of the input again: rounded once, whatever that is.
template <class F>
TensorFunction in_f64(F f) {
  return unary([f](const Tensor& x) { return f(x, DType::f64).to(x.dtype()); });
}
constexpr const char* kInF64 = ", dtype=torch.float64).to(x[0].dtype)";

void add_dtypes(std::vector<Row>& rows) {
  const Tensor x = spread({2, 3}, -2.8, 2.9, 2);
  const auto total = [](const Numbers& v) { return std::accumulate(v.begin(), v.end(), 0.0); };
  const auto product = [](const Numbers& v) {
    return std::accumulate(v.begin(), v.end(), 1.0, std::multiplies<>());
  };
  // Of the whole parts.
  const auto whole = [](auto f) {
    return [f](Numbers v) {
      for (double& one : v) one = std::trunc(one);
      return f(v);
    };
  };
  const auto over_all = [&](const std::string& name, auto run, auto f) {
    add(row_of(rows, name), "(2, 3) in i64", {x},
        unary([run](const Tensor& v) { return run(v, DType::i64); }),
        reduced({}, whole(f), DType::i64), "torch." + name + "(x[0], dtype=torch.int64)")
        .differentiable = false;
  };
  const auto over_one = [&](const std::string& name, auto run, auto f) {
    add(row_of(rows, name), "(2, 3) over 1 in f64", {x}, in_f64(run), reduced({{1}, true}, f),
        "torch." + name + "(x[0], 1, keepdim=True" + kInF64);
  };
  over_all(
      "sum", [](const Tensor& v, DType dtype) { return sum(v, dtype); }, total);
  over_all(
      "prod", [](const Tensor& v, DType dtype) { return prod(v, dtype); }, product);
  over_one(
      "sum", [](const Tensor& v, DType dtype) { return sum(v, 1, true, dtype); }, total);
  over_one(
      "prod", [](const Tensor& v, DType dtype) { return prod(v, 1, true, dtype); }, product);
  const auto average = [total](const Numbers& v) {
    return total(v) / static_cast<double>(v.size());
  };
  over_one(
      "mean", [](const Tensor& v, DType dtype) { return mean(v, 1, true, dtype); }, average);
  add(row_of(rows, "mean"), "(2, 3) in f64", {x},
      in_f64([](const Tensor& v, DType dtype) { return mean(v, dtype); }), reduced({}, average),
      std::string("torch.mean(x[0]") + kInF64);
  const auto line = [&](const std::string& name, auto run, auto f) {
    add(row_of(rows, name), "(2, 3) in f64", {x}, in_f64(run),
        along(-1, [f](Numbers& v, uint64_t) { f(v); }),
        (name == "softmin" ? "F." : "torch.") + name + "(x[0], -1" + kInF64);
  };
  line(
      "cumsum", [](const Tensor& v, DType dtype) { return cumsum(v, -1, dtype); },
      [](Numbers& v) { std::partial_sum(v.begin(), v.end(), v.begin()); });
  line(
      "cumprod", [](const Tensor& v, DType dtype) { return cumprod(v, -1, dtype); },
      [](Numbers& v) { std::partial_sum(v.begin(), v.end(), v.begin(), std::multiplies<>()); });
  line(
      "softmax", [](const Tensor& v, DType dtype) { return softmax(v, -1, dtype); }, &softmax_of);
  line(
      "log_softmax", [](const Tensor& v, DType dtype) { return log_softmax(v, -1, dtype); },
      &log_softmax_of);
  line(
      "softmin", [](const Tensor& v, DType dtype) { return softmin(v, -1, dtype); },
      [](Numbers& v) {
        for (double& one : v) one = -one;
        softmax_of(v);
      });
}

// --- arithmetic ---

void add_alpha(std::vector<Row>& rows, const std::string& name,
               Tensor (*f)(const Tensor&, const Tensor&, Scalar), double sign) {
  Row& row = row_of(rows, name);
  const std::string torch = "torch." + name + "(x[0], x[1], alpha=";
  add(row, "(2, 3), (3), alpha 0.3", {input({2, 3}, 1), input({3}, 2)},
      binary([f](const Tensor& a, const Tensor& b) { return f(a, b, 0.3); }),
      zip_reference([sign](double a, double b) { return a + sign * 0.3 * b; }), torch + "0.3)");
  add(row, "(2, 3) of i64, (3), alpha -2", {indices({2, 3}, 9, 1), indices({3}, 9, 2)},
      binary([f](const Tensor& a, const Tensor& b) { return f(a, b, -2); }),
      zip_reference([sign](double a, double b) { return a - sign * 2 * b; }, DType::i64),
      torch + "-2)")
      .differentiable = false;
  row.scale = std::max(row.scale, 2.5);
  row.errors.push_back(error("a real alpha of whole numbers",
                             [f] { return f(arange(3), arange(3), 0.5); },
                             {name + ": ", "0.5", "i64", "whole number"}));
}

void add_rounding(std::vector<Row>& rows) {
  Row& row = row_of(rows, "div");
  for (const auto& [mode, word] :
       {std::pair{RoundingMode::trunc, "trunc"}, std::pair{RoundingMode::floor, "floor"}}) {
    const auto round = [mode = mode](double v) {
      return mode == RoundingMode::floor ? std::floor(v) : std::trunc(v);
    };
    const std::string torch = std::string("rounding_mode='") + word + "')";
    const TensorFunction run =
        binary([mode = mode](const Tensor& a, const Tensor& b) { return div(a, b, mode); });
    add(row, std::string("(2, 3), (3), ") + word,
        {both_signs({2, 3}, 3.1, 9.2, 1), both_signs({3}, 0.6, 0.9, 2)}, run,
        zip_reference([round](double a, double b) { return round(a / b); }),
        "torch.div(x[0], x[1], " + torch);
    add(row, std::string("(2, 3) of i64, (3), ") + word,
        {indices({2, 3}, 19, 1) - 9, indices({3}, 4, 2) - 5}, run,
        zip_reference([round](double a, double b) { return round(a / b); }, DType::i64),
        "torch.div(x[0], x[1], " + torch)
        .differentiable = false;
    add(row, std::string("(2, 3), 0.7, ") + word, {both_signs({2, 3}, 3.1, 9.2, 3)},
        unary([mode = mode](const Tensor& a) { return div(a, 0.7, mode); }),
        map_reference([round](double v) { return round(v / 0.7); }),
        "torch.div(x[0], 0.7, " + torch);
  }
}

// --- searches ---

void add_searches(std::vector<Row>& rows) {
  Row& row = row_of(rows, "searchsorted");
  const Tensor edges = tensor({3.0, -1.0, 2.0, 0.5, 2.0}), order = tensor<int64_t>({1, 3, 2, 4, 0});
  const Tensor values = tensor({0.5, 2.0, -3.0, 4.0}, {2, 2});
  // The number of edges before each value; of equal ones, too, to the right.
  const auto reference = [](bool right, DType dtype) -> TensorFunction {
    return [=](const Tensors& in) -> Tensors {
      const Array e(in[0]), v(in[1]);
      return {make_array(v.shape, [&](const Shape& i) {
                return static_cast<double>(std::count_if(
                    e.data.begin(), e.data.end(),
                    [&](double edge) { return right ? edge <= v.at(i) : edge < v.at(i); }));
              }).tensor(dtype)};
    };
  };
  add(
      row, "sorter", {edges, values, order},
      [](const Tensors& in) -> Tensors { return {searchsorted(in[0], in[1], {.sorter = in[2]})}; },
      reference(false, DType::i64), "torch.searchsorted(x[0], x[1], sorter=x[2])");
  add(
      row, "sorter, side right, i32", {edges, values, order},
      [](const Tensors& in) -> Tensors {
        return {searchsorted(in[0], in[1],
                             {.side = SearchSide::right, .out_int32 = true, .sorter = in[2]})};
      },
      reference(true, DType::i32),
      "torch.searchsorted(x[0], x[1], sorter=x[2], side='right', out_int32=True)");
  row.errors.push_back(error("right and left",
                             [] {
                               return searchsorted(zeros({2}), zeros({2}),
                                                   {.right = true, .side = SearchSide::left});
                             },
                             {"searchsorted: ", "side left"}));
  row.errors.push_back(
      error("a sorter of another shape",
            [] { return searchsorted(zeros({2}), zeros({2}), {.sorter = arange(3)}); },
            {"searchsorted: ", "(3,)", "(2,)"}));
  Row& buckets = row_of(rows, "bucketize");
  add(
      buckets, "(2, 2), right, i32", {values, sort(edges).values},
      [](const Tensors& in) -> Tensors {
        return {bucketize(in[0], in[1], {.right = true, .out_int32 = true})};
      },
      [reference](const Tensors& in) {
        return reference(true, DType::i32)({in[1], in[0]});
      },
      "torch.bucketize(x[0], x[1], right=True, out_int32=True)");
  buckets.errors.push_back(
      error("a side", [] { return bucketize(zeros({2}), zeros({2}), {.side = SearchSide::left}); },
            {"bucketize: ", "side"}));
}

// --- antialias ---

// The weights of one dimension, from the filters' formulas: triangles of Pillow, and Keys' with
// a = -0.5, stretched where the size shrinks.
std::vector<Numbers> weights(int64_t in, int64_t out, bool cubic, bool corners) {
  const double step =
      corners ? out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0
              : static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(step, 1.0);
  std::vector<Numbers> rows;
  for (int64_t o = 0; o < out; ++o) {
    Numbers row;
    for (int64_t i = 0; i < in; ++i) {
      const double centre = step * (static_cast<double>(o) + 0.5);
      const double x = std::abs(static_cast<double>(i) + 0.5 - centre) / stretch;
      const double near = 1.5 * x * x * x - 2.5 * x * x + 1;
      const double far = -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
      row.push_back(!cubic ? std::max(1 - x, 0.0) : x < 1 ? near : x < 2 ? far : 0.0);
    }
    const double total = std::accumulate(row.begin(), row.end(), 0.0);
    for (double& w : row) w /= total;
    rows.push_back(row);
  }
  return rows;
}

void add_antialias(std::vector<Row>& rows) {
  Row& row = row_of(rows, "interpolate");
  const auto one = [&](const std::string& name, const Tensor& x, const Shape& size, bool cubic,
                       bool corners) {
    InterpolateOptions options;
    options.size = size;
    options.mode = cubic ? InterpolateMode::bicubic : InterpolateMode::bilinear;
    options.align_corners = corners;
    options.antialias = true;
    const TensorFunction reference = [=](const Tensors& in) -> Tensors {
      const Array a(in[0]);
      const auto down = weights(a.shape[2], size[0], cubic, corners);
      const auto across = weights(a.shape[3], size[1], cubic, corners);
      const auto at = [](const std::vector<Numbers>& m, int64_t o, int64_t i) {
        return m[static_cast<size_t>(o)][static_cast<size_t>(i)];
      };
      return {make_array({a.shape[0], a.shape[1], size[0], size[1]}, [&](const Shape& o) {
                double total = 0;
                for (int64_t i = 0; i < a.shape[2]; ++i) {
                  for (int64_t j = 0; j < a.shape[3]; ++j) {
                    total += at(down, o[2], i) * at(across, o[3], j) * a.at({o[0], o[1], i, j});
                  }
                }
                return total;
              }).tensor()};
    };
    add(row, name, {x}, unary([options](const Tensor& v) { return interpolate(v, options); }),
        reference,
        "F.interpolate(x[0], " + tuple(size) + ", mode='" + (cubic ? "bicubic" : "bilinear") +
            "', align_corners=" + python(corners) + ", antialias=True)");
  };
  one("antialias (7, 5) to (3, 2)", input({1, 2, 7, 5}, 31), {3, 2}, false, false);
  one("antialias (7, 5) to (3, 7)", input({1, 2, 7, 5}, 32), {3, 7}, true, false);
  one("antialias (4, 6) strided to (2, 4) by corners", strided(input({2, 1, 4, 6}, 33)), {2, 4},
      false, true);
  row.errors.push_back(
      error("antialias of the nearest",
            [] {
              return interpolate(ones({1, 1, 4, 4}), {.size = 2, .antialias = true});
            },
            {"interpolate: ", "antialias", "nearest", "bilinear"}));
}

// --- F.normalize ---

Row normalize_row() {
  const auto one = [](const std::string& name, const Tensor& x, double p, int64_t dim, double eps) {
    const TensorFunction reference = along(dim, [=](std::vector<double>& v, uint64_t) {
      double total = 0;
      for (const double a : v) {
        total = std::isinf(p) ? std::max(total, std::abs(a)) : total + std::pow(std::abs(a), p);
      }
      const double length = std::max(std::isinf(p) ? total : std::pow(total, 1 / p), eps);
      for (double& a : v) a /= length;
    });
    Sample sample{
        name, {x}, unary([=](const Tensor& v) { return normalize(v, p, dim, eps); }), reference};
    sample.torch = "F.normalize(x[0], " +
                   (std::isinf(p) ? std::string("float('inf')") : std::to_string(p)) + ", " +
                   std::to_string(dim) + ", " + std::to_string(eps) + ")";
    return sample;
  };
  Tensor with_zeros = input({3, 2}, 5);  // of which a line is shorter than any eps
  for (int64_t i = 0; i < 2; ++i) with_zeros.mutable_data<double>()[2 + i] = 0;
  Row row{"normalize",
          {one("(2, 3, 4)", input({2, 3, 4}, 1), 2, 1, 1e-6),
           one("(4, 3) strided, dim 0, p 1", strided(input({4, 3}, 2)), 1, 0, 1e-6),
           one("(3, 4), p 3, dim -1", input({3, 4}, 3), 3, -1, 1e-6),
           one("(3, 4), the largest", input({3, 4}, 4), HUGE_VAL, 1, 1e-6),
           one("(2, 3) shorter than eps", input({2, 3}, 6), 2, 1, 20),
           one("(3, 2), a line of zeros", with_zeros, 2, 1, 0.125),
           one("(0, 3)", input({0, 3}, 7), 2, 1, 1e-6)}};
  row.errors = {error("whole numbers", [] { return normalize(arange(3)); },
                      {"normalize: ", "i64", "floating"}),
                error("a dimension that is not there", [] { return normalize(ones({3})); },
                      {"normalize: ", "1", "[-1, 0]"}),
                error("a negative eps",
                      [] {
                        return normalize(ones({2, 3}), 2, 1, -1);
                      },
                      {"normalize: ", "eps -1"})};
  row.bf16_gradient_roundings = 8;
  row.gradient_ulps = 128;
  return row;
}

}  // namespace

void add_arguments(std::vector<Row>& rows) {
  add_dtypes(rows);
  add_alpha(
      rows, "add",
      [](const Tensor& a, const Tensor& b, Scalar alpha) { return adjoint::add(a, b, alpha); }, 1);
  add_alpha(
      rows, "sub", [](const Tensor& a, const Tensor& b, Scalar alpha) { return sub(a, b, alpha); },
      -1);
  add_rounding(rows);
  add_searches(rows);
  add_antialias(rows);
  rows.push_back(normalize_row());
}

}  // namespace adjoint::catalog
