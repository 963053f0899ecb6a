#include "core/catalog/index_rows.h"

#include <adjoint/core/layout.h>

namespace adjoint::catalog {
namespace {

Arrays arrays(const Tensors& in) {
  Arrays result;
  for (const Tensor& x : in) result.emplace_back(x);
  return result;
}

// Every $ is the tensor, every @ the end of the function's name.
std::string python(const std::string& call, const char* x, const char* end) {
  std::string text;
  for (const char c : call) {
    if (c == '$') {
      text += x;
    } else if (c == '@') {
      text += end;
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

int64_t number(const Array& index, const Shape& i, int64_t size) {
  const auto value = static_cast<int64_t>(index.at(i));
  return value < 0 ? value + size : value;
}

TensorFunction picked(const Shape& shape, At at) {
  return [shape, at = std::move(at)](const Tensors& tensors) -> Tensors {
    const Arrays in = arrays(tensors);
    return {make_array(shape, [&](const Shape& i) { return in[0].at(at(in, i)); }).tensor()};
  };
}

TensorFunction put(const Shape& shape, At at, Value value, double (*f)(double, double)) {
  return
      [shape, at = std::move(at), value = std::move(value), f](const Tensors& tensors) -> Tensors {
        const Arrays in = arrays(tensors);
        Array y = in[0];
        for_each_index(shape, [&](const Shape& i) {
          double& place = y.at(at(in, i));
          place = f(place, value(in, i));
        });
        return {y.tensor()};
      };
}

double last(double, double b) { return b; }
double sum_of(double a, double b) { return a + b; }

Sample functional_sample(const Call& call) {
  const auto f = call.functional;
  Sample sample{call.name, call.inputs, [f](const Tensors& in) -> Tensors { return {f(in)}; },
                call.reference};
  sample.torch = python(call.torch, "x[0]", "");
  return sample;
}

Sample in_place_sample(const Call& call) {
  Sample sample{call.name, call.inputs, written(call.in_place), call.reference};
  sample.torch = python(call.torch, "x[0].clone()", "_");
  return sample;
}

namespace {

Row row_of(const std::string& name, const std::vector<Call>& calls, std::vector<ErrorCase> errors,
           std::function<Call()> large, Sample (*sample)(const Call&)) {
  Row row{name, {}};
  for (const Call& call : calls) row.samples.push_back(sample(call));
  row.errors = std::move(errors);
  if (large) row.large = [large = std::move(large), sample] { return sample(large()); };
  return row;
}

}  // namespace

Row functional_row(const std::string& name, const std::vector<Call>& calls,
                   std::vector<ErrorCase> errors, std::function<Call()> large) {
  return row_of(name, calls, std::move(errors), std::move(large), &functional_sample);
}

Row in_place_row(const std::string& name, const std::vector<Call>& calls,
                 std::vector<ErrorCase> errors, std::function<Call()> large) {
  Row row = row_of(name, calls, std::move(errors), std::move(large), &in_place_sample);
  const Call& call = calls.front();
  const std::string functional = name.substr(0, name.size() - 1) + "()";
  const auto wrong = [&](const char* what, const Tensor& x, std::vector<std::string> says) {
    says.insert(says.begin(), name + ": ");
    row.errors.push_back(error(
        what,
        [call, x] {
          call.in_place(x, call.inputs);
          return 0;
        },
        std::move(says)));
  };
  const Tensor& x = call.inputs[0];
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor whole = leaf * 2.0;
  wrong("a leaf that requires grad", leaf, {"leaf", functional});
  wrong("a view with history", slice(whole, 0, 0), {"view", functional});
  wrong("an expanded tensor", expand(zeros({1}, x.dtype()), x.shape()), {"clone()"});
  return row;
}

Tensor distinct(const Shape& shape, int dim, int64_t bound) {
  return make_array(shape,
                    [&](const Shape& i) {
                      int64_t others = 0;
                      for (int d = 0; d < shape.rank(); ++d)
                        others += d == dim ? 0 : (d + 2) * i[d];
                      return static_cast<double>((bound - 1 - i[dim] + others) % bound);
                    })
      .tensor(DType::i64);
}

}  // namespace adjoint::catalog
