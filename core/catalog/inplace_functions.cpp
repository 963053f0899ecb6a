// Rows of functions that write into a tensor what an operator makes of it.
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/index_rows.h"
#include "core/catalog/random_rows.h"

namespace adjoint::catalog {
namespace {

using Elementwise = std::function<double(const std::vector<double>& v)>;
using Write = std::function<void(const Tensor& y, const Tensors& in)>;

// f of each element of x and of those of the others, which broadcast to x.
TensorFunction of_elements(const Elementwise& f, DType dtype = DType::f64) {
  return [f, dtype](const Tensors& in) -> Tensors {
    const std::vector<Array> of(in.begin(), in.end());
    return {make_array(of[0].shape, [&](const Shape& i) {
              std::vector<double> v;
              v.reserve(of.size());
              for (const Array& a : of) v.push_back(a.broadcast(i));
              return f(v);
            }).tensor(dtype)};
  };
}

Call call(const std::string& name, const Tensors& in, const Write& write,
          const TensorFunction& reference, const std::string& torch) {
  return {name, in, {}, write, reference, torch};
}

// What each of these functions refuses: see in_place_row.
Row write_row(const std::string& name, const std::vector<Call>& calls,
              std::vector<ErrorCase> errors = {}) {
  Row row = in_place_row(name, calls, std::move(errors));
  const Write write = calls.front().in_place;
  const Tensors in = calls.front().inputs;
  row.errors.push_back(error("an undefined tensor",
                             [write, in] {
                               write(Tensor(), in);
                               return 0;
                             },
                             {name + ": ", "undefined"}));
  return row;
}

// --- of one tensor ---

struct Unary {
  const char* name;
  void (*f)(const Tensor&);
  Number reference;
  Domain domain = kSigned;
};

Row unary_in_place(const Unary& u) {
  const Write write = [f = u.f](const Tensor& y, const Tensors&) { f(y); };
  const TensorFunction reference = map_reference(u.reference);
  const std::string name = u.name, torch = "torch." + name + "($)";
  const Domain& x = u.domain;
  std::vector<Call> calls = {
      call("(2, 3, 2)", {x({2, 3, 2}, 1)}, write, reference, torch),
      call("(4, 3) strided", {strided(x({4, 3}, 2))}, write, reference, torch),
      call("(3, 0)", {x({3, 0}, 3)}, write, reference, torch),
      call("()", {x({}, 4)}, write, reference, torch)};
  for (Call& c : calls) {
    // Of some PyTorch has a method only.
    if (name == "square_" || name == "logical_not_" || name == "erf_") c.torch = "$." + name + "()";
    if (name == "relu_") c.torch = "F.relu_($)";
  }
  return write_row(name, calls);
}

constexpr Domain kJumps{&between_whole, 0.15, 0.85};

void add_unary(std::vector<Row>& rows) {
  const std::vector<Unary> all = {
      {"neg_", &neg_, [](double v) { return -v; }},
      {"abs_", &abs_, [](double v) { return std::abs(v); }},
      {"exp_", &exp_, [](double v) { return std::exp(v); }},
      {"log_", &log_, [](double v) { return std::log(v); }, kPositive},
      {"sqrt_", &sqrt_, [](double v) { return std::sqrt(v); }, kPositive},
      {"rsqrt_", &rsqrt_, [](double v) { return 1 / std::sqrt(v); }, kPositive},
      {"square_", &square_, [](double v) { return v * v; }},
      {"reciprocal_", &reciprocal_, [](double v) { return 1 / v; }},
      {"sin_", &sin_, [](double v) { return std::sin(v); }},
      {"cos_", &cos_, [](double v) { return std::cos(v); }},
      {"tanh_", &tanh_, [](double v) { return std::tanh(v); }},
      {"sigmoid_", &sigmoid_, [](double v) { return 1 / (1 + std::exp(-v)); }},
      {"relu_", &relu_, [](double v) { return std::max(v, 0.0); }},
      {"erf_", &erf_, [](double v) { return std::erf(v); }},
      {"floor_", &floor_, [](double v) { return std::floor(v); }, kJumps},
      {"ceil_", &ceil_, [](double v) { return std::ceil(v); }, kJumps},
      {"trunc_", &trunc_, [](double v) { return std::trunc(v); }, kJumps}};
  for (const Unary& u : all) rows.push_back(unary_in_place(u));
}

// --- with numbers ---

struct Numbered {
  std::string what;
  Write write;
  Elementwise reference;
  std::string torch;
};

// f(x, numbers): a sample of each layout for the first, one for each other.
Row numbered_row(const std::string& name, const Domain& x, const std::vector<Numbered>& all,
                 std::vector<ErrorCase> errors = {}) {
  std::vector<Call> calls;
  for (const Numbered& n : all) {
    const TensorFunction reference = of_elements(n.reference);
    calls.push_back(call("(2, 3), " + n.what, {x({2, 3}, 1)}, n.write, reference, n.torch));
    if (calls.size() > 1) continue;
    calls.push_back(
        call("(4, 3) strided, " + n.what, {strided(x({4, 3}, 2))}, n.write, reference, n.torch));
    calls.push_back(call("(0, 3), " + n.what, {x({0, 3}, 3)}, n.write, reference, n.torch));
  }
  return write_row(name, calls, std::move(errors));
}

template <class F>
ErrorCase wrong(const std::string& what, F f, std::vector<std::string> says) {
  return error(
      what,
      [f] {
        f();
        return 0;
      },
      std::move(says));
}

void add_numbered(std::vector<Row>& rows) {
  rows.push_back(numbered_row(
      "leaky_relu_", kSigned,
      {{"0.2", [](const Tensor& y, const Tensors&) { leaky_relu_(y, 0.2); },
        [](const auto& v) { return v[0] > 0 ? v[0] : 0.2 * v[0]; }, "F.leaky_relu_($, 0.2)"}}));
  rows.push_back(
      numbered_row("elu_", kSigned,
                   {{"1.5", [](const Tensor& y, const Tensors&) { elu_(y, 1.5); },
                     [](const auto& v) { return v[0] > 0 ? v[0] : 1.5 * std::expm1(v[0]); },
                     "F.elu_($, 1.5)"}}));
  rows.push_back(
      numbered_row("round_", kJumps,
                   {{"whole", [](const Tensor& y, const Tensors&) { round_(y); },
                     [](const auto& v) { return std::nearbyint(v[0]); }, "$.round_()"}}));
  rows.push_back(numbered_row(
      "clamp_", kSigned,
      {{"-0.5 to 0.7", [](const Tensor& y, const Tensors&) { clamp_(y, -0.5, 0.7); },
        [](const auto& v) { return std::clamp(v[0], -0.5, 0.7); }, "$.clamp_(-0.5, 0.7)"},
       {"to 0.1", [](const Tensor& y, const Tensors&) { clamp_(y, std::nullopt, 0.1); },
        [](const auto& v) { return std::min(v[0], 0.1); }, "$.clamp_(None, 0.1)"}},
      {wrong("no bound", [] { clamp_(ones({2}), std::nullopt); }, {"clamp: ", "expected"})}));
  rows.push_back(
      numbered_row("clamp_min_", kSigned,
                   {{"0.1", [](const Tensor& y, const Tensors&) { clamp_min_(y, 0.1); },
                     [](const auto& v) { return std::max(v[0], 0.1); }, "$.clamp_min_(0.1)"}}));
  rows.push_back(
      numbered_row("clamp_max_", kSigned,
                   {{"0.1", [](const Tensor& y, const Tensors&) { clamp_max_(y, 0.1); },
                     [](const auto& v) { return std::min(v[0], 0.1); }, "$.clamp_max_(0.1)"}}));
}

// --- of several tensors ---

// The others broadcast; `write` and `reference` as above.
Row broadcast_row(const std::string& name, const std::vector<Domain>& domains, const Write& write,
                  const Elementwise& reference, const std::string& torch,
                  std::vector<ErrorCase> errors) {
  const auto inputs = [&](const Shape& x, const Shape& other, bool lies_strided) {
    Tensors in;
    for (size_t i = 0; i < domains.size(); ++i) {
      const Tensor one = domains[i](i == 0 ? x : other, 10 * x.back() + i);
      in.push_back(lies_strided ? strided(one) : one);
    }
    return in;
  };
  const TensorFunction expected = of_elements(reference);
  const Shape small = {3, 1}, row = {3};
  return write_row(
      name,
      {call("(2, 3, 4), (3, 1)", inputs({2, 3, 4}, small, false), write, expected, torch),
       call("(4, 3) strided, (4, 3)", inputs({4, 3}, {4, 3}, true), write, expected, torch),
       call("(0, 3), (3)", inputs({0, 3}, row, false), write, expected, torch)},
      std::move(errors));
}

// f(x, others) where one of the others is larger than x, and where x is of whole numbers.
template <class F>
std::vector<ErrorCase> binary_errors(const std::string& name, F f) {
  return {wrong("a result that is larger",
                [f] {
                  f(ones({2}), ones({3, 2}));
                },
                {name + ": ", "(3, 2)", "(2,)", "expected the same"}),
          wrong("reals into integers", [f] { f(ones({2}, DType::i64), ones({2})); },
                {name + ": ", "f32", "i64", "does not lose"})};
}

void add_binary(std::vector<Row>& rows) {
  const auto power = [](const Tensor& x, const Tensor& y) { pow_(x, y); };
  rows.push_back(broadcast_row(
      "pow_", {kPositive, kSigned}, [](const Tensor& y, const Tensors& in) { pow_(y, in[1]); },
      [](const auto& v) { return std::pow(v[0], v[1]); }, "$.pow_(x[1])",
      binary_errors("pow_", power)));
  Call cube = call(
      "(2, 3), 3", {kSigned({2, 3}, 9)}, [](const Tensor& y, const Tensors&) { pow_(y, 3); },
      map_reference([](double v) { return v * v * v; }), "$.pow_(3)");
  rows.back().samples.push_back(in_place_sample(cube));
  const auto rest = [](const Tensor& x, const Tensor& y) { remainder_(x, y); };
  rows.push_back(broadcast_row(
      "remainder_", {kSigned, {&spread, 1.9, 2.5}},
      [](const Tensor& y, const Tensors& in) { remainder_(y, in[1]); },
      [](const auto& v) { return v[0] - std::floor(v[0] / v[1]) * v[1]; }, "$.remainder_(x[1])",
      binary_errors("remainder_", rest)));
  rows.back().scale = 2.5;
  const auto towards = [](const Tensor& x, const Tensor& y) { lerp_(x, y, 0.5); };
  rows.push_back(broadcast_row(
      "lerp_", {kSigned, kSigned, kPositive},
      [](const Tensor& y, const Tensors& in) { lerp_(y, in[1], in[2]); },
      [](const auto& v) { return v[0] + v[2] * (v[1] - v[0]); }, "$.lerp_(x[1], x[2])",
      {binary_errors("lerp_", towards)[0]}));
  rows.back().scale = 10;
  Call number = call(
      "(2, 3), (3), 0.3", {kSigned({2, 3}, 9), kSigned({3}, 10)},
      [](const Tensor& y, const Tensors& in) { lerp_(y, in[1], 0.3); },
      of_elements([](const auto& v) { return v[0] + 0.3 * (v[1] - v[0]); }), "$.lerp_(x[1], 0.3)");
  rows.back().samples.push_back(in_place_sample(number));
  const auto add_product = [](const Tensor& x, const Tensor& y) { addcmul_(x, y, y); };
  rows.push_back(broadcast_row(
      "addcmul_", {kSigned, kSigned, kSigned},
      [](const Tensor& y, const Tensors& in) { addcmul_(y, in[1], in[2], 0.7); },
      [](const auto& v) { return v[0] + 0.7 * v[1] * v[2]; }, "$.addcmul_(x[1], x[2], value=0.7)",
      {binary_errors("addcmul_", add_product)[0]}));
  rows.back().scale = 4;
  const auto add_quotient = [](const Tensor& x, const Tensor& y) { addcdiv_(x, y, y); };
  rows.push_back(broadcast_row(
      "addcdiv_", {kSigned, kSigned, kSigned},
      [](const Tensor& y, const Tensors& in) { addcdiv_(y, in[1], in[2], 0.7); },
      [](const auto& v) { return v[0] + 0.7 * v[1] / v[2]; }, "$.addcdiv_(x[1], x[2], value=0.7)",
      {binary_errors("addcdiv_", add_quotient)[0]}));
  rows.back().scale = 10;
}

// --- of whole numbers and bools ---

using InPlacePair = void (*)(const Tensor&, const Tensor&);

Row bits_row(const std::string& name, InPlacePair f, int64_t (*of)(int64_t, int64_t)) {
  const Write write = [f](const Tensor& y, const Tensors& in) { f(y, in[1]); };
  const auto reference = [of](DType dtype) {
    return of_elements(
        [of](const auto& v) {
          return static_cast<double>(of(static_cast<int64_t>(v[0]), static_cast<int64_t>(v[1])));
        },
        dtype);
  };
  const std::string torch = "$." + name + "(x[1])";
  Row row{name, {}};
  for (const Call& c :
       {call("(2, 3), (3)", {indices({2, 3}, 16, 1), indices({3}, 16, 2)}, write,
             reference(DType::i64), torch),
        call("(4, 3) strided, (4, 3)", {strided(indices({4, 3}, 16, 3)), indices({4, 3}, 16, 4)},
             write, reference(DType::i64), torch),
        call("(0, 3), (3)", {indices({0, 3}, 16), indices({3}, 16)}, write, reference(DType::i64),
             torch),
        call("(2, 3) of bools", {mask({2, 3}, 1), mask({2, 3}, 2)}, write,
             reference(DType::boolean), torch)}) {
    row.samples.push_back(in_place_sample(c));
  }
  row.errors = {
      wrong("an expanded tensor",
            [f] { f(expand(ones({1}, DType::i64), {3}), ones({3}, DType::i64)); },
            {name + ": ", "clone()"}),
      wrong("reals", [f] { f(ones({2}), ones({2})); },
            {name.substr(0, name.size() - 1) + ": ", "f32", "expected"}),
      wrong("integers into bools", [f] { f(ones({2}, DType::boolean), ones({2}, DType::i64)); },
            {name + ": ", "i64", "bool", "does not lose"})};
  row.differentiable = false;
  return row;
}

Row logical_not_row() {
  const Write write = [](const Tensor& y, const Tensors&) { logical_not_(y); };
  const TensorFunction bools =
      map_reference([](double v) { return v == 0 ? 1.0 : 0.0; }, DType::boolean);
  Row row{
      "logical_not_",
      {in_place_sample(call("(2, 3)", {mask({2, 3}, 1)}, write, bools, "$.logical_not_()")),
       in_place_sample(
           call("(4, 3) strided", {strided(mask({4, 3}, 2))}, write, bools, "$.logical_not_()")),
       in_place_sample(call("(3) of i64", {indices({3}, 2)}, write,
                            map_reference([](double v) { return v == 0 ? 1.0 : 0.0; }, DType::i64),
                            "$.logical_not_()")),
       in_place_sample(
           call("(0, 3)", {zeros({0, 3}, DType::boolean)}, write, bools, "$.logical_not_()"))}};
  row.errors = {
      wrong("an expanded tensor", [] { logical_not_(expand(ones({1}), {3})); },
            {"logical_not_: ", "clone()"}),
      wrong("an undefined tensor", [] { logical_not_(Tensor()); }, {"logical_not_: ", "undefined"}),
      wrong("a leaf that requires grad", [] { logical_not_(ones({2}).requires_grad_()); },
            {"logical_not_: ", "requires grad", "logical_not()"})};
  row.differentiable = false;
  return row;
}

// --- triangles ---

Row triangle_row(const std::string& name, void (*f)(const Tensor&, int64_t), bool lower) {
  const auto one = [=](const std::string& what, const Tensor& x, int64_t diagonal) {
    return call(
        what, {x}, [=](const Tensor& y, const Tensors&) { f(y, diagonal); },
        [=](const Tensors& in) -> Tensors {
          const Array v(in[0]);
          const int rank = v.shape.rank();
          return {make_array(v.shape, [&](const Shape& i) {
                    const int64_t above = i[rank - 1] - i[rank - 2] - diagonal;
                    return (lower ? above > 0 : above < 0) ? 0.0 : v.at(i);
                  }).tensor()};
        },
        "$." + name + "(" + std::to_string(diagonal) + ")");
  };
  return write_row(
      name,
      {one("(3, 4)", kSigned({3, 4}, 1), 0),
       one("(4, 3) strided, 1", strided(kSigned({4, 3}, 2)), 1),
       one("(2, 3, 3), -1", kSigned({2, 3, 3}, 3), -1), one("(0, 3)", kSigned({0, 3}, 4), 0)},
      {wrong("one dimension", [f] { f(ones({3}), 0); },
             {name.substr(0, 4) + ": ", "(3,)", "two dimensions"})});
}

// --- scatter_reduce_ ---

Row scatter_reduce_row() {
  const Tensor index = tensor<int64_t>({0, 1, 1, 2, 0, 1}, {2, 3});
  const auto one = [&](const std::string& what, const Tensor& x, bool include_self,
                       int64_t sent = 2) {
    return call(
        what + (include_self ? "" : " without self"),
        {x, slice(index, 0, 0, sent), spread({sent, 3}, 2, 3.5, 9)},
        [=](const Tensor& y, const Tensors& in) {
          scatter_reduce_(y, 0, in[1], in[2], ScatterReduce::amax, include_self);
        },
        [=](const Tensors& in) -> Tensors {
          const Array at(in[1]), src(in[2]);
          Array y(in[0]), count(y.shape);
          for_each_index(at.shape, [&](const Shape& i) {
            const Shape place = {static_cast<int64_t>(at.at(i)), i[1]};
            const bool first = count.at(place)++ == 0 && !include_self;
            y.at(place) = first ? src.at(i) : std::max(y.at(place), src.at(i));
          });
          return {y.tensor()};
        },
        std::string("$.scatter_reduce_(0, x[1], x[2], 'amax', include_self=") +
            (include_self ? "True)" : "False)"));
  };
  return write_row(
      "scatter_reduce_",
      {one("(3, 3)", kSigned({3, 3}, 1), true),
       one("(4, 3) strided", strided(kSigned({4, 3}, 2)), false),
       one("(3, 5)", kSigned({3, 5}, 3), true),
       one("(3, 3), nothing sent", kSigned({3, 3}, 4), false, 0)},
      {wrong("an index outside",
             [index] {
               scatter_reduce_(ones({2, 3}), 0, index, ones({2, 3}), ScatterReduce::sum);
             },
             {"scatter_reduce: ", "index 2", "dimension 0"})});
}

// --- fills ---

// What x was does not matter: f(x, generator) against value(i) for each element.
using Fill = std::function<void(const Tensor& x, Generator& g)>;
Row fill_row(const std::string& name, const Fill& f, double (*value)(uint64_t), DType dtype,
             std::vector<ErrorCase> errors) {
  const auto one = [&](const std::string& what, const Tensor& x) {
    return Sample{what,
                  {x},
                  written([f](const Tensor& y, const Tensors&) {
                    Generator g(kSeed, kOffset);
                    f(y, g);
                  }),
                  [=](const Tensors& in) -> Tensors {
                    uint64_t i = 0;
                    return {make_array(in[0].shape(), [&](const Shape&) {
                              return value(i++);
                            }).tensor(in[0].dtype())};
                  }};
  };
  const auto x = [dtype](const Shape& shape, uint64_t seed) {
    return kSigned(shape, seed).to(dtype);
  };
  Row row{name,
          {one("(3, 5)", x({3, 5}, 1)), one("(4, 3) strided", strided(x({4, 3}, 2))),
           one("(0, 3)", x({0, 3}, 3))}};
  row.errors = std::move(errors);
  row.errors.push_back(wrong("an undefined tensor", [f] { f(Tensor(), default_generator()); },
                             {name + ": ", "undefined"}));
  row.errors.push_back(wrong("a leaf that requires grad",
                             [f] { f(ones({2}).requires_grad_(), default_generator()); },
                             {name + ": ", "requires grad"}));
  return row;
}

void add_fills(std::vector<Row>& rows) {
  rows.push_back(fill_row(
      "exponential_", [](const Tensor& x, Generator& g) { exponential_(x, 1.5, g); },
      [](uint64_t i) { return -std::log1p(-uniform_number(i)) / 1.5; }, DType::f64,
      {wrong("a rate of 0", [] { exponential_(ones({2}), 0); }, {"exponential: ", "lambd is 0"})}));
  rows.push_back(fill_row(
      "bernoulli_", [](const Tensor& x, Generator& g) { bernoulli_(x, 0.25, g); },
      [](uint64_t i) { return uniform_number(i) < 0.25 ? 1.0 : 0.0; }, DType::f64,
      {wrong("a probability above 1", [] { bernoulli_(ones({2}), 1.5); },
             {"bernoulli: ", "1.5"})}));
  rows.push_back(fill_row(
      "random_", [](const Tensor& x, Generator& g) { random_(x, -2, 9, g); },
      [](uint64_t i) { return static_cast<double>(scaled(two_words(i), 11)) - 2; }, DType::f64,
      {wrong("nothing between", [] { random_(ones({2}), 3, 3); }, {"random_: ", "[3, 3)", "f32"}),
       wrong("more than the dtype holds", [] { random_(ones({2}, DType::u8), -1, 3); },
             {"random_: ", "[-1, 3)", "u8", "[0, 256)"})}));
}

}  // namespace

void add_inplace_functions(std::vector<Row>& rows) {
  add_unary(rows);
  add_numbered(rows);
  add_binary(rows);
  rows.push_back(
      bits_row("bitwise_and_", &bitwise_and_, [](int64_t a, int64_t b) { return a & b; }));
  rows.push_back(bits_row("bitwise_or_", &bitwise_or_, [](int64_t a, int64_t b) { return a | b; }));
  rows.push_back(
      bits_row("bitwise_xor_", &bitwise_xor_, [](int64_t a, int64_t b) { return a ^ b; }));
  rows.push_back(logical_not_row());
  rows.push_back(triangle_row("tril_", &tril_, true));
  rows.push_back(triangle_row("triu_", &triu_, false));
  rows.push_back(scatter_reduce_row());
  add_fills(rows);
}

}  // namespace adjoint::catalog
