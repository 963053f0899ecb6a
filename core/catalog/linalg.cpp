// Rows of products by index, and of products that add to something.
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>

#include <map>
#include <sstream>

#include "core/catalog/builders.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.2, seed); }

// The sum of products that "ij,jk->ik" says, over every combination of indices. A size of 1 stands
// for all.
Array sum_of_products(const std::string& equation, const Tensors& in) {
  const size_t arrow = equation.find("->");
  std::vector<std::string> terms(1);
  for (const char c : equation.substr(0, arrow)) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  const std::string output = equation.substr(arrow + 2);
  std::vector<Array> arrays(in.begin(), in.end());
  std::map<char, int64_t> sizes;
  for (size_t i = 0; i < terms.size(); ++i) {
    for (size_t d = 0; d < terms[i].size(); ++d) {
      const int64_t size = arrays[i].shape[static_cast<int>(d)];
      const auto [at, fresh] = sizes.try_emplace(terms[i][d], size);
      if (!fresh && size != 1) at->second = size;
    }
  }
  Shape shape, rest;
  std::string hidden;
  for (const char c : output) shape.push_back(sizes.at(c));
  for (const auto& [c, size] : sizes) {
    if (output.find(c) != std::string::npos) continue;
    hidden += c;
    rest.push_back(size);
  }
  return make_array(shape, [&](const Shape& index) {
    double total = 0;
    for_each_index(rest, [&](const Shape& inner) {
      double product = 1;
      for (size_t i = 0; i < terms.size(); ++i) {
        Shape at;
        for (size_t d = 0; d < terms[i].size(); ++d) {
          const size_t place = output.find(terms[i][d]);
          const int64_t k = place != std::string::npos
                                ? index[static_cast<int>(place)]
                                : inner[static_cast<int>(hidden.find(terms[i][d]))];
          at.push_back(arrays[i].shape[static_cast<int>(d)] == 1 ? 0 : k);
        }
        product *= arrays[i].at(at);
      }
      total += product;
    });
    return total;
  });
}

TensorFunction summing(const std::string& equation) {
  return
      [equation](const Tensors& in) -> Tensors { return {sum_of_products(equation, in).tensor()}; };
}

Sample sample(const std::string& name, Tensors inputs, TensorFunction run,
              const std::string& equation, const std::string& torch = {}) {
  Sample s{name, std::move(inputs), std::move(run), summing(equation)};
  s.torch = torch;
  return s;
}

// Rows of two operands whose result the equation says for every sample.
Row product_row(const char* name, Tensor (*f)(const Tensor&, const Tensor&),
                const std::string& equation, const std::vector<std::pair<Tensor, Tensor>>& inputs,
                const Shape& large_a, const Shape& large_b) {
  Row row{name, {}};
  for (const auto& [a, b] : inputs) {
    row.samples.push_back(
        sample(to_string(a.shape()) + to_string(b.shape()) + (a.is_contiguous() ? "" : " strided"),
               {a, b}, binary(f), equation));
  }
  row.samples.push_back(whole(row.samples[0]));
  row.samples.push_back(whole(row.samples[1]));
  row.large = [=] {
    return sample("large", {input(large_a, 31), input(large_b, 32)}, binary(f), equation);
  };
  row.scale = 4;
  row.torch = std::string("torch.") + name + "(x[0], x[1])";
  return row;
}

Row mm_row() {
  Row row = product_row("mm", &mm, "ij,jk->ik",
                        {{input({3, 4}, 1), input({4, 2}, 2)},
                         {strided(input({2, 3}, 3)), strided(input({3, 4}, 4))},
                         {input({0, 3}, 5), input({3, 2}, 6)}},
                        {67, 131}, {131, 65});
  row.errors = {error("batches",
                      [] {
                        return mm(ones({2, 3, 4}), ones({2, 4, 5}));
                      },
                      {"mm: ", "(2, 3, 4)", "(m, k)"}),
                error("sizes that differ",
                      [] {
                        return mm(ones({2, 3}), ones({4, 5}));
                      },
                      {"mm: ", "(2, 3)", "(4, 5)", "3 columns", "4 rows"}),
                error("numbers of two kinds",
                      [] {
                        return mm(ones({2, 3}), ones({3, 5}, DType::i64));
                      },
                      {"mm: operands of f32 and i64", "one dtype"}),
                error("bools",
                      [] {
                        return mm(ones({2, 3}, DType::boolean), ones({3, 5}, DType::boolean));
                      },
                      {"mm: ", "bool"})};
  return row;
}

Row mv_row() {
  Row row = product_row("mv", &mv, "ij,j->i",
                        {{input({3, 4}, 1), input({4}, 2)},
                         {strided(input({2, 3}, 3)), strided(input({3}, 4))},
                         {input({0, 3}, 5), input({3}, 6)}},
                        {257, 311}, {311});
  row.errors = {error("a matrix for the vector",
                      [] {
                        return mv(ones({2, 3}), ones({3, 1}));
                      },
                      {"mv: ", "(3, 1)", "(k,)"}),
                error("sizes that differ",
                      [] {
                        return mv(ones({2, 3}), ones({4}));
                      },
                      {"mv: ", "(2, 3)", "(4,)"}),
                error("numbers of two kinds",
                      [] {
                        return mv(ones({2, 3}, DType::i64), ones({3}));
                      },
                      {"mv: ", "i64"})};
  return row;
}

Row dot_row() {
  Row row = product_row("dot", &dot, "i,i->",
                        {{input({4}, 1), input({4}, 2)},
                         {strided(input({3}, 3)), strided(input({3}, 4))},
                         {input({0}, 5), input({0}, 6)}},
                        {600}, {600});
  row.errors = {
      error("matrices",
            [] {
              return dot(ones({2, 3}), ones({2, 3}));
            },
            {"dot: ", "(2, 3)", "vectors"}),
      error("sizes that differ", [] { return dot(ones({2}), ones({3})); },
            {"dot: ", "(2,)", "(3,)"}),
      error("numbers of two kinds", [] { return dot(ones({2}, DType::i32), ones({2})); },
            {"dot: ", "i32"}),
      error("bools", [] { return dot(ones({2}, DType::boolean), ones({2}, DType::boolean)); },
            {"dot: ", "bool"})};
  return row;
}

Row inner_row() {
  Row row = product_row("inner", &inner, "aij,bj->aib",
                        {{input({2, 3, 4}, 1), input({5, 4}, 2)},
                         {strided(input({2, 2, 3}, 3)), strided(input({3, 3}, 4))},
                         {input({0, 2, 3}, 5), input({2, 3}, 6)}},
                        {3, 67, 131}, {65, 131});
  row.samples.push_back(
      sample("a number", {input({}, 7), input({2, 3}, 8)}, binary(&inner), ",ij->ij"));
  row.samples.push_back(
      sample("vectors", {input({3}, 9), input({3}, 10)}, binary(&inner), "i,i->"));
  row.errors = {error("sizes that differ",
                      [] {
                        return inner(ones({2, 3}), ones({2, 4}));
                      },
                      {"inner: ", "(2, 3)", "(2, 4)"}),
                error("vectors of other sizes", [] { return inner(ones({3}), ones({2})); },
                      {"inner: ", "(3,)", "(2,)"}),
                error("a vector and a column",
                      [] {
                        return inner(ones({3}), ones({3, 1}));
                      },
                      {"inner: ", "(3, 1)"})};
  return row;
}

Row outer_row() {
  Row row = product_row("outer", &outer, "i,j->ij",
                        {{input({3}, 1), input({4}, 2)},
                         {strided(input({2}, 3)), strided(input({3}, 4))},
                         {input({0}, 5), input({3}, 6)}},
                        {301}, {207});
  row.errors = {error("a matrix",
                      [] {
                        return outer(ones({2, 2}), ones({3}));
                      },
                      {"outer: ", "(2, 2)", "vectors"}),
                error("a number", [] { return outer(ones({}), ones({3})); }, {"outer: ", "()"}),
                error("a column",
                      [] {
                        return outer(ones({3}), ones({3, 1}));
                      },
                      {"outer: ", "(3, 1)"})};
  return row;
}

Sample kron_sample(const std::string& name, const Tensor& a, const Tensor& b) {
  return {name, {a, b}, binary(&kron), [](const Tensors& in) -> Tensors {
            Array x(in[0]), y(in[1]);
            while (x.shape.rank() < y.shape.rank()) x.shape.insert(0, 1);
            while (y.shape.rank() < x.shape.rank()) y.shape.insert(0, 1);
            Shape shape = x.shape;
            for (int d = 0; d < shape.rank(); ++d) shape[d] *= y.shape[d];
            return {make_array(shape, [&](const Shape& index) {
                      Shape i = index, j = index;
                      for (int d = 0; d < shape.rank(); ++d) {
                        i[d] = index[d] / y.shape[d];
                        j[d] = index[d] % y.shape[d];
                      }
                      return x.at(i) * y.at(j);
                    }).tensor()};
          }};
}

Row kron_row() {
  Row row{"kron",
          {kron_sample("(2, 3)(4, 2)", input({2, 3}, 1), input({4, 2}, 2)),
           kron_sample("(3)(2, 2) strided", input({3}, 3), strided(input({2, 2}, 4))),
           kron_sample("(2, 1, 2)(3)", input({2, 1, 2}, 5), input({3}, 6)),
           kron_sample("(0, 2)(3, 1)", input({0, 2}, 7), input({3, 1}, 8)),
           kron_sample("()(2)", input({}, 9), input({2}, 10))}};
  row.torch = "torch.kron(x[0], x[1])";
  row.errors = {error("too many dimensions",
                      [] {
                        return kron(ones({1, 1, 1, 1, 2}), ones({2}));
                      },
                      {"kron: ", "(1, 1, 1, 1, 2)", "4 dimensions"}),
                error("too many dimensions of the second",
                      [] {
                        return kron(ones({2}), ones({1, 1, 1, 1, 3}));
                      },
                      {"kron: ", "(1, 1, 1, 1, 3)"}),
                error("an undefined tensor", [] { return kron(ones({2}), {}); }, {"kron: "})};
  return row;
}

Row trace_row() {
  Row row{"trace",
          {sample("(3, 3)", {input({3, 3}, 1)}, unary(&trace), "ii->"),
           sample("(2, 4), strided", {strided(input({2, 4}, 2))}, unary(&trace), "ii->"),
           sample("(4, 2)", {input({4, 2}, 3)}, unary(&trace), "ii->"),
           sample("(0, 3)", {input({0, 3}, 4)}, unary(&trace), "ii->")}};
  // Of a matrix that is not square the shorter side counts.
  for (Sample& s : row.samples) {
    s.reference = [](const Tensors& in) -> Tensors {
      const Array x(in[0]);
      double total = 0;
      for (int64_t i = 0; i < std::min(x.shape[0], x.shape[1]); ++i) total += x.at({i, i});
      Array y{Shape()};
      y.data[0] = total;
      return {y.tensor()};
    };
  }
  row.scale = 4;
  row.torch = "torch.trace(x[0])";
  row.errors = {error("a vector", [] { return trace(ones({3})); }, {"trace: ", "(3,)", "matrix"}),
                error("a batch",
                      [] {
                        return trace(ones({2, 3, 3}));
                      },
                      {"trace: ", "(2, 3, 3)"}),
                error("a number", [] { return trace(ones({})); }, {"trace: ", "()"})};
  return row;
}

// --- beta input + alpha product ---

using Adds = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, double, double);

Sample adding(const std::string& name, const std::string& torch, Adds f,
              const std::string& equation, Tensors inputs, double beta, double alpha) {
  Sample s{name, std::move(inputs),
           [=](const Tensors& in) -> Tensors { return {f(in[0], in[1], in[2], beta, alpha)}; },
           [=](const Tensors& in) -> Tensors {
             Array y = sum_of_products(equation, {in[1], in[2]});
             const Array x(in[0]);
             const Array product = y;
             return {make_array(y.shape, [&](const Shape& index) {
                       return beta * x.broadcast(index) + alpha * product.at(index);
                     }).tensor()};
           }};
  const auto factor = [](double value) {  // whole numbers are multiplied by whole ones
    std::ostringstream text;
    text << value;
    return text.str();
  };
  s.torch = "torch." + torch + "(x[0], x[1], x[2], beta=" + factor(beta) +
            ", alpha=" + factor(alpha) + ")";
  return s;
}

Row adding_row(const char* name, Adds f, const std::string& equation,
               const std::vector<Tensors>& inputs, const std::vector<Shape>& large) {
  Row row{name, {}};
  const double factors[][2] = {{1, 1}, {0.5, -2}, {1, 0.5}, {-1, 1}, {1, 1}};
  for (size_t i = 0; i < inputs.size(); ++i) {
    row.samples.push_back(adding(
        "sample " + std::to_string(i) + ", input of shape " + to_string(inputs[i][0].shape()), name,
        f, equation, inputs[i], factors[i][0], factors[i][1]));
  }
  const auto& x = inputs[0];  // the first sample's
  row.samples.push_back(whole(adding("whole factors", name, f, equation, x, 3, -2)));
  row.samples.push_back(whole(row.samples[0]));
  row.large = [=] {
    return adding("large", name, f, equation,
                  {input(large[0], 31), input(large[1], 32), input(large[2], 33)}, 0.5, 2);
  };
  row.scale = 8;  // of alpha times sums of about four products
  return row;
}

Row addmm_row() {
  Row row = adding_row("addmm", &addmm, "ij,jk->ik",
                       {{input({2}, 1), input({3, 4}, 2), input({4, 2}, 3)},
                        {input({3, 1}, 4), strided(input({3, 4}, 5)), strided(input({4, 2}, 6))},
                        {strided(input({3, 2}, 7)), input({3, 4}, 8), input({4, 2}, 9)},
                        {input({}, 10), input({2, 3}, 11), input({3, 2}, 12)},
                        {input({2}, 13), input({0, 3}, 14), input({3, 2}, 15)}},
                       {{67, 65}, {67, 131}, {131, 65}});
  row.errors = {error("sizes that differ",
                      [] {
                        return addmm(ones({2, 2}), ones({2, 3}), ones({4, 2}));
                      },
                      {"addmm: ", "(2, 3)", "(4, 2)"}),
                error("an input that does not broadcast",
                      [] {
                        return addmm(ones({3}), ones({2, 3}), ones({3, 2}));
                      },
                      {"addmm: input of shape (3,)", "(2, 2)"}),
                error("an input of more dimensions",
                      [] {
                        return addmm(ones({1, 2, 2}), ones({2, 3}), ones({3, 2}));
                      },
                      {"addmm: input of shape (1, 2, 2)"}),
                error("numbers of two kinds",
                      [] {
                        return addmm(ones({2}), ones({2, 3}), ones({3, 2}, DType::i64));
                      },
                      {"addmm: ", "i64"}),
                error("a fraction of whole numbers",
                      [] {
                        return addmm(ones({2}, DType::i64), ones({2, 3}, DType::i64),
                                     ones({3, 2}, DType::i64), 0.5);
                      },
                      {"addmm: a factor of 0.5", "i64", "whole number"}),
                error("an input of another kind",
                      [] {
                        return addmm(ones({2}), ones({2, 3}, DType::i32), ones({3, 2}, DType::i32));
                      },
                      {"addmm: operands of f32 and i32"})};
  return row;
}

Row addmv_row() {
  Row row = adding_row("addmv", &addmv, "ij,j->i",
                       {{input({3}, 1), input({3, 4}, 2), input({4}, 3)},
                        {input({1}, 4), strided(input({3, 4}, 5)), strided(input({4}, 6))},
                        {input({}, 7), input({2, 3}, 8), input({3}, 9)},
                        {input({0}, 10), input({0, 3}, 11), input({3}, 12)}},
                       {{257}, {257, 311}, {311}});
  row.errors = {error("sizes that differ",
                      [] {
                        return addmv(ones({2}), ones({2, 3}), ones({4}));
                      },
                      {"addmv: ", "(2, 3)", "(4,)"}),
                error("an input that does not broadcast",
                      [] {
                        return addmv(ones({3}), ones({2, 3}), ones({3}));
                      },
                      {"addmv: input of shape (3,)", "(2,)"}),
                error("a matrix for the vector",
                      [] {
                        return addmv(ones({2}), ones({2, 3}), ones({3, 1}));
                      },
                      {"addmv: ", "(3, 1)"})};
  return row;
}

Row baddbmm_row() {
  Row row =
      adding_row("baddbmm", &baddbmm, "bij,bjk->bik",
                 {{input({2, 3, 2}, 1), input({2, 3, 4}, 2), input({2, 4, 2}, 3)},
                  {input({3, 1}, 4), strided(input({2, 3, 4}, 5)), strided(input({2, 4, 2}, 6))},
                  {input({2, 1, 2}, 7), input({2, 3, 4}, 8), input({2, 4, 2}, 9)},
                  {input({}, 10), input({0, 3, 4}, 11), input({0, 4, 2}, 12)}},
                 {{6, 37, 41}, {6, 37, 131}, {6, 131, 41}});
  row.errors = {error("batches that differ",
                      [] {
                        return baddbmm(ones({2}), ones({2, 2, 3}), ones({3, 3, 2}));
                      },
                      {"baddbmm: ", "(2, 2, 3)", "(3, 3, 2)"}),
                error("matrices",
                      [] {
                        return baddbmm(ones({2}), ones({2, 3}), ones({3, 2}));
                      },
                      {"baddbmm: ", "(2, 3)", "(b, m, k)"}),
                error("an input that does not broadcast",
                      [] {
                        return baddbmm(ones({3, 1, 1}), ones({2, 2, 3}), ones({2, 3, 2}));
                      },
                      {"baddbmm: input of shape (3, 1, 1)", "(2, 2, 2)"})};
  return row;
}

// --- tensordot and einsum ---

Row tensordot_row() {
  const auto by_lists = [](const Shape& a, const Shape& b) {
    return [a, b](const Tensors& in) -> Tensors { return {tensordot(in[0], in[1], a, b)}; };
  };
  const auto by_number = [](int64_t dims) {
    return [dims](const Tensors& in) -> Tensors { return {tensordot(in[0], in[1], dims)}; };
  };
  Row row{
      "tensordot",
      {sample("(2, 3, 4)(3, 4, 2), 2", {input({2, 3, 4}, 1), input({3, 4, 2}, 2)}, by_number(2),
              "ajk,jkb->ab", "torch.tensordot(x[0], x[1], 2)"),
       sample("(2, 3, 4)(4, 2, 5), lists", {input({2, 3, 4}, 3), input({4, 2, 5}, 4)},
              by_lists({0, -1}, {1, 0}), "ajb,bac->jc",
              "torch.tensordot(x[0], x[1], ([0, 2], [1, 0]))"),
       sample("(2, 3)(3, 2), strided, 1", {strided(input({2, 3}, 5)), strided(input({3, 2}, 6))},
              by_number(1), "ij,jk->ik", "torch.tensordot(x[0], x[1], 1)"),
       sample("(2)(3), 0", {input({2}, 7), input({3}, 8)}, by_number(0), "i,j->ij",
              "torch.tensordot(x[0], x[1], 0)"),
       sample("(2, 0)(0, 3)", {input({2, 0}, 9), input({0, 3}, 10)}, by_number(1), "ij,jk->ik",
              "torch.tensordot(x[0], x[1], 1)"),
       sample("(2, 1)(3, 2), a size of 1", {input({2, 1}, 11), input({3, 2}, 12)},
              by_lists({1}, {0}), "ij,jk->ik", "torch.tensordot(x[0], x[1], ([1], [0]))")}};
  for (const size_t i : {1, 3}) row.samples.push_back(whole(row.samples[i]));
  row.large = [=] {
    return sample("large", {input({7, 31, 11}, 31), input({11, 31, 67}, 32)},
                  by_lists({1, 2}, {1, 0}), "ajk,kjb->ab");
  };
  row.scale = 8;
  row.bf16_roundings = 2;  // a size of 1 meets sums that were rounded
  row.errors = {error("sizes that differ",
                      [] {
                        return tensordot(ones({2, 3}), ones({4, 2}), 1);
                      },
                      {"tensordot: ", "sizes 3 and 4"}),
                error("lists of other lengths",
                      [] {
                        return tensordot(ones({2, 3}), ones({3, 2}), {0, 1}, {0});
                      },
                      {"tensordot: dims (0, 1) and (0,)"}),
                error("a dimension twice",
                      [] {
                        return tensordot(ones({2, 2}), ones({2, 2}), {0, 0}, {0, 1});
                      },
                      {"tensordot: ", "twice"}),
                error("too many dimensions",
                      [] {
                        return tensordot(ones({2, 3}), ones({3}), 2);
                      },
                      {"tensordot: dims is 2", "(3,)"}),
                error("a dimension out of range",
                      [] {
                        return tensordot(ones({2, 3}), ones({3}), {2}, {0});
                      },
                      {"tensordot: ", "2"})};
  return row;
}

// `spelled`: the same sum with every index named, for the reference.
Sample einsum_sample(const std::string& equation, Tensors inputs, std::string spelled = {}) {
  std::string call = "torch.einsum('" + equation + "'";
  for (size_t i = 0; i < inputs.size(); ++i) call += ", x[" + std::to_string(i) + "]";
  const std::string name = equation + " of " + to_string(inputs[0].shape());
  return sample(
      name, std::move(inputs),
      [equation](const Tensors& in) -> Tensors { return {einsum(equation, in)}; },
      spelled.empty() ? equation : spelled, call + ")");
}

Row einsum_row() {
  Row row{"einsum",
          {einsum_sample("ij,jk->ik", {input({3, 4}, 1), input({4, 2}, 2)}),
           einsum_sample("bij, bkj", {strided(input({2, 3, 4}, 3)), input({2, 2, 4}, 4)},
                         "bij,bkj->ik"),
           einsum_sample("ii", {input({3, 3}, 5)}, "ii->"),
           einsum_sample("iji->ij", {input({3, 2, 3}, 6)}),
           einsum_sample("ba", {strided(input({2, 3}, 7))}, "ba->ab"),
           einsum_sample("...ij,...jk->...ik", {input({2, 1, 2, 3}, 8), input({4, 3, 2}, 9)},
                         "abij,bjk->abik"),
           einsum_sample("i...,i...", {input({2, 3}, 10), input({2, 1}, 11)}, "ix,ix->x"),
           einsum_sample("...i->i", {input({2, 3}, 12)}, "xi->i"),
           einsum_sample("ij,jk,kl->il", {input({2, 3}, 13), input({3, 4}, 14), input({4, 2}, 15)}),
           einsum_sample("a,b,ab,ab->",
                         {input({2}, 16), input({3}, 17), input({2, 3}, 18), input({2, 3}, 19)}),
           einsum_sample("i,j->ji", {input({2}, 20), input({3}, 21)}),
           einsum_sample("ij,kl->jl", {input({2, 3}, 22), input({2, 2}, 23)}),
           einsum_sample("ij,jk->ik", {input({2, 0}, 24), input({0, 3}, 25)}),
           einsum_sample("aB,Ab", {input({2, 1}, 26), input({3, 2}, 27)}, "aB,Ab->ABab"),
           einsum_sample("ij,ij->i", {input({3, 1}, 28), input({1, 4}, 29)}, "ik,mj->i")}};
  // Sizes of 1 broadcast: sum over j of x[i, 0] y[0, j].
  row.samples.back().reference = [](const Tensors& in) -> Tensors {
    return {sum_of_products("ij,ij->i", in).tensor()};
  };
  row.samples.back().name = "ij,ij->i of sizes of 1";
  row.samples[12].name = "ij,jk->ik, sums of nothing";
  for (const size_t i : {0, 1, 2, 8, 9, 10, 11}) row.samples.push_back(whole(row.samples[i]));
  row.large = [] {
    return einsum_sample("bhqd,bhkd->bhqk", {input({2, 3, 67, 33}, 31), input({2, 3, 61, 33}, 32)});
  };
  row.scale = 8;
  row.bf16_roundings = 4;  // of each product of two
  row.bf16_gradient_roundings = 6;
  row.errors = {error("a letter that is none",
                      [] {
                        return einsum("i1->i", {ones({2, 2})});
                      },
                      {"einsum: '1'", "'i1'"}),
                error("terms and operands",
                      [] {
                        return einsum("ij,jk->ik", {ones({2, 2})});
                      },
                      {"einsum: 'ij,jk->ik' has 2 terms for 1 operands"}),
                error("a term of another rank",
                      [] {
                        return einsum("ijk->i", {ones({2, 2})});
                      },
                      {"einsum: ", "names 3 dimensions", "(2, 2)"}),
                error("sizes that differ",
                      [] {
                        return einsum("ij,jk->ik", {ones({2, 3}), ones({4, 2})});
                      },
                      {"einsum: ", "size 4", "against 3"}),
                error("an unknown output",
                      [] {
                        return einsum("ij->ik", {ones({2, 3})});
                      },
                      {"einsum: 'k'", "no operand"}),
                error("an output twice",
                      [] {
                        return einsum("ij->ii", {ones({2, 3})});
                      },
                      {"einsum: 'i' twice"}),
                error("two ellipses",
                      [] {
                        return einsum("...i...", {ones({2, 3})});
                      },
                      {"einsum: two ellipses"}),
                error("bools",
                      [] {
                        return einsum("ij,kj->ik",
                                      {ones({2, 3}, DType::boolean), ones({2, 3}, DType::boolean)});
                      },
                      {"einsum: ", "bool"})};
  return row;
}

Row matrix_power_row() {
  const auto power = [](const std::string& name, const Tensor& x, int64_t n,
                        const std::string& equation) {
    return Sample{
        name,
        {x},
        [n](const Tensors& in) -> Tensors { return {matrix_power(in[0], n)}; },
        [equation, n](const Tensors& in) -> Tensors {
          return {sum_of_products(equation, Tensors(static_cast<size_t>(n), in[0])).tensor()};
        },
        {},
        true,
        "torch.linalg.matrix_power(x[0], " + std::to_string(n) + ")"};
  };
  Row row{"matrix_power",
          {power("(3, 3), 1", input({3, 3}, 1), 1, "ab->ab"),
           power("(2, 3, 3), 3", input({2, 3, 3}, 2), 3, "xab,xbc,xcd->xad"),
           power("(2, 2) strided, 4", strided(input({2, 2}, 3)), 4, "ab,bc,cd,de->ae"),
           power("(0, 0), 2", input({0, 0}, 4), 2, "ab,bc->ac")}};
  Sample zero = power("(2, 2), 0", input({2, 2}, 5), 0, "");
  zero.reference = [](const Tensors&) -> Tensors {
    return {from_vector(std::vector<double>{1, 0, 0, 1}, {2, 2})};
  };
  row.samples.push_back(zero);
  row.samples.push_back(whole(row.samples[1]));
  row.samples.push_back(whole(zero));
  row.scale = 16;
  row.errors = {
      error("no square",
            [] {
              return matrix_power(ones({2, 3}), 2);
            },
            {"matrix_power: ", "(2, 3)", "square"}),
      error("a vector", [] { return matrix_power(ones({3}), 2); }, {"matrix_power: ", "(3,)"}),
      error("an inverse of whole numbers",
            [] {
              return matrix_power(ones({2, 2}, DType::i64), -2);
            },
            {"matrix_power: n is -2", "i64"})};
  return row;
}

}  // namespace

void add_linalg(std::vector<Row>& rows) {
  for (auto* make :
       {&mm_row, &mv_row, &dot_row, &inner_row, &outer_row, &kron_row, &trace_row, &addmm_row,
        &addmv_row, &baddbmm_row, &tensordot_row, &einsum_row, &matrix_power_row}) {
    rows.push_back(make());
  }
}

}  // namespace adjoint::catalog
