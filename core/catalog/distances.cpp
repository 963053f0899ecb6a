// Rows of distances, and of the losses that compare them.
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/losses.h"

namespace adjoint::catalog {
namespace {

double norm_of(const std::vector<double>& v, double p) {
  double sum = 0;
  for (const double x : v) {
    if (std::isinf(p)) {
      sum = std::max(sum, std::abs(x));
    } else {
      sum += p == 0 ? (x != 0 ? 1 : 0) : std::pow(std::abs(x), p);
    }
  }
  return std::isinf(p) || p == 0 ? sum : std::pow(sum, 1 / p);
}

// The p-norms of a - b + eps over the last dimension, broadcast.
Array distances(const Array& a, const Array& b, double p, double eps) {
  const Shape full = broadcast_shapes("reference", a.shape, b.shape);
  const Shape lead(full.span().first(static_cast<size_t>(full.rank() - 1)));
  return make_array(lead, [&](const Shape& row) {
    std::vector<double> d;
    for (int64_t c = 0; c < full.back(); ++c) {
      Shape at = row;
      at.push_back(c);
      d.push_back(a.broadcast(at) - b.broadcast(at) + eps);
    }
    return norm_of(d, p);
  });
}

std::string written(double p) { return std::isinf(p) ? "torch.inf" : text(p); }

Sample pairwise_sample(const std::string& name, const Tensor& a, const Tensor& b, double p,
                       double eps, bool keepdim) {
  return sample(
      name + ", p " + written(p) + (keepdim ? ", keepdim" : ""), {a, b},
      [=](const Tensors& in) { return pairwise_distance(in[0], in[1], p, eps, keepdim); },
      [=](const Tensors& in) {
        Array y = distances(Array(in[0]), Array(in[1]), p, eps);
        if (keepdim) y.shape.push_back(1);
        return y.tensor();
      },
      "F.pairwise_distance(x[0], x[1], " + written(p) + ", " + std::to_string(eps) + ", " +
          (keepdim ? "True" : "False") + ")");
}

// No two of its numbers are the same distance from others of `input`.
Tensor other(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.3, 2.3, seed) * 0.97; }

Row pairwise_row() {
  Row row{"pairwise_distance",
          {pairwise_sample("(3, 4)", input({3, 4}, 1), other({3, 4}, 2), 2, 1e-6, false),
           pairwise_sample("(2, 3, 4) and (4) strided", strided(input({2, 3, 4}, 3)), other({4}, 4),
                           1, 1e-3, true),
           pairwise_sample("(3, 5)", input({3, 5}, 5), other({3, 5}, 6), 3.5, 0.0, false),
           pairwise_sample("(3, 5)", input({3, 5}, 7), other({3, 5}, 8), INFINITY, 1e-6, false),
           pairwise_sample("(0, 3)", input({0, 3}, 9), other({0, 3}, 10), 2, 1e-6, false)}};
  row.errors = {error("shapes that do not broadcast",
                      [] {
                        return pairwise_distance(ones({2, 3}), ones({2, 4}));
                      },
                      {"pairwise_distance: ", "(2, 3)", "(2, 4)"}),
                error("a negative power",
                      [] {
                        return pairwise_distance(ones({2, 3}), ones({2, 3}), -1.0);
                      },
                      {"pairwise_distance: ", "p is -1"}),
                error("whole numbers", [] { return pairwise_distance(arange(3), arange(3)); },
                      {"pairwise_distance: ", "i64"})};
  row.ulps = 16;
  row.scale = 4;
  return row;
}

Sample cdist_sample(const std::string& name, const Tensor& a, const Tensor& b, double p) {
  return sample(
      name + ", p " + written(p), {a, b}, [=](const Tensors& in) { return cdist(in[0], in[1], p); },
      [=](const Tensors& in) {
        Array x(in[0]), y(in[1]);
        x.shape.insert(x.shape.rank() - 1, 1);
        y.shape.insert(y.shape.rank() - 2, 1);
        return distances(x, y, p, 0).tensor();
      },
      "torch.cdist(x[0], x[1], " + written(p) + ")");
}

Row cdist_row() {
  Row row{
      "cdist",
      {cdist_sample("(3, 4)(2, 4)", input({3, 4}, 1), other({2, 4}, 2), 2),
       cdist_sample("(2, 3, 4)(5, 4) strided", strided(input({2, 3, 4}, 3)), other({5, 4}, 4), 1),
       cdist_sample("(2, 4)(3, 4)", input({2, 4}, 5), other({3, 4}, 6), 3.5),
       cdist_sample("(2, 4)(3, 4)", input({2, 4}, 7), other({3, 4}, 8), INFINITY),
       cdist_sample("(3, 4)(2, 4)", input({3, 4}, 13), other({2, 4}, 14), 0),
       cdist_sample("(26, 2)(1, 2)", input({26, 2}, 9) * 4.0, other({1, 2}, 10), 2),
       cdist_sample("(0, 3)(2, 3)", input({0, 3}, 11), other({2, 3}, 12), 2)}};
  row.errors = {error("widths that differ",
                      [] {
                        return cdist(ones({2, 3}), ones({2, 4}));
                      },
                      {"cdist: ", "(2, 3)", "(2, 4)"}),
                error("vectors",
                      [] {
                        return cdist(ones({3}), ones({2, 3}));
                      },
                      {"cdist: ", "(3,)", "(..., P, M)"}),
                error("a negative power",
                      [] {
                        return cdist(ones({2, 3}), ones({2, 3}), -2.0);
                      },
                      {"cdist: ", "p is -2"}),
                error("two dtypes",
                      [] {
                        return cdist(ones({2, 3}), ones({2, 3}, DType::f64));
                      },
                      {"cdist: ", "f32 and f64"})};
  // Squares of up to 80 cancel to distances of 0.5: d = sqrt(D), of which the error is that of D
  // over 2 d.
  row.ulps = 16;
  row.scale = 80;
  row.gradient_ulps = 2048;
  return row;
}

Sample similarity_sample(const std::string& name, const Tensor& a, const Tensor& b, int64_t dim,
                         double eps) {
  return sample(
      name + ", dim " + std::to_string(dim) + ", eps " + text(eps), {a, b},
      [=](const Tensors& in) { return cosine_similarity(in[0], in[1], dim, eps); },
      [=](const Tensors& in) {
        const Array x(in[0]), y(in[1]);
        const Shape full = broadcast_shapes("reference", x.shape, y.shape);
        const int d = static_cast<int>(dim < 0 ? dim + full.rank() : dim);
        Shape lead = full;
        lead.erase(d);
        return make_array(lead,
                          [&](const Shape& row) {
                            double xy = 0, xx = 0, yy = 0;
                            for (int64_t c = 0; c < full[d]; ++c) {
                              Shape at = row;
                              at.insert(d, c);
                              xy += x.broadcast(at) * y.broadcast(at);
                              xx += x.broadcast(at) * x.broadcast(at);
                              yy += y.broadcast(at) * y.broadcast(at);
                            }
                            return xy /
                                   (std::max(std::sqrt(xx), eps) * std::max(std::sqrt(yy), eps));
                          })
            .tensor();
      },
      "F.cosine_similarity(x[0], x[1], " + std::to_string(dim) + ", " + std::to_string(eps) + ")");
}

Row similarity_row() {
  Row row{"cosine_similarity",
          {similarity_sample("(3, 4)", input({3, 4}, 1), other({3, 4}, 2), 1, 1e-6),
           similarity_sample("(2, 3, 4) and (3, 1) strided", strided(input({2, 3, 4}, 3)),
                             other({3, 1}, 4), -2, 1e-6),
           similarity_sample("(0, 3)", input({0, 3}, 7), other({0, 3}, 8), 1, 1e-6)}};
  row.errors = {error("no such dimension",
                      [] {
                        return cosine_similarity(ones({2, 3}), ones({2, 3}), 2);
                      },
                      {"cosine_similarity: ", "2"}),
                error("shapes that do not broadcast",
                      [] {
                        return cosine_similarity(ones({2, 3}), ones({2, 4}));
                      },
                      {"cosine_similarity: ", "(2, 3)", "(2, 4)"}),
                error("whole numbers", [] { return cosine_similarity(arange(3), arange(3), 0); },
                      {"cosine_similarity: ", "i64"})};
  row.ulps = 8;
  row.scale = 1;
  return row;
}

// --- losses of distances ---

struct Triplet {
  double margin, p, eps;
  bool swap;
};

Tensor triplet_reference(const Tensors& in, const Triplet& o, Reduction r) {
  const Array a(in[0]), b(in[1]), c(in[2]);
  const Array near = distances(a, b, o.p, o.eps), far = distances(a, c, o.p, o.eps);
  const Array swapped = distances(b, c, o.p, o.eps);
  const Array losses = make_array(near.shape, [&](const Shape& i) {
    const double distance = o.swap ? std::min(far.at(i), swapped.at(i)) : far.at(i);
    return std::max(0.0, o.margin + near.at(i) - distance);
  });
  return reduce_losses(losses, r);
}

Tensors three(const Shape& s, uint64_t seed) {
  return {input(s, seed), other(s, seed + 1), both_signs(s, 0.4, 1.9, seed + 2) * 1.03};
}

Sample triplet_sample(const std::string& name, const Tensors& inputs, const Triplet& o,
                      Reduction r) {
  const std::string options = "margin=" + text(o.margin) + ", p=" + text(o.p) +
                              ", eps=" + std::to_string(o.eps) +
                              ", swap=" + (o.swap ? "True" : "False") + ", " + torch_reduction(r);
  return sample(
      name + ", " + options, inputs,
      [=](const Tensors& in) {
        return triplet_margin_loss(in[0], in[1], in[2], o.margin, o.p, o.eps, o.swap, r);
      },
      [=](const Tensors& in) { return triplet_reference(in, o, r); },
      "F.triplet_margin_loss(x[0], x[1], x[2], " + options + ")");
}

Row triplet_row() {
  Tensors strides = three({3, 4}, 4);
  for (Tensor& x : strides) x = strided(x);
  Row row{"triplet_margin_loss",
          {triplet_sample("(3, 4)", three({3, 4}, 1), {1.0, 2, 1e-6, false}, Reduction::mean),
           triplet_sample("(3, 4) strided", strides, {2.5, 2, 1e-3, true}, Reduction::none),
           triplet_sample("(4)", three({4}, 7), {3.5, 1, 1e-6, true}, Reduction::sum),
           triplet_sample("(0, 3)", three({0, 3}, 10), {1.0, 2, 1e-6, false}, Reduction::sum)}};
  row.errors = {
      error("a margin of 0",
            [] {
              return triplet_margin_loss(ones({2, 3}), ones({2, 3}), ones({2, 3}), 0.0);
            },
            {"triplet_margin_loss: ", "margin", "0"}),
      error("ranks that differ",
            [] {
              return triplet_margin_loss(ones({2, 3}), ones({2, 3}), ones({3}));
            },
            {"triplet_margin_loss: ", "(2, 3)", "(3,)"}),
      error("a negative power",
            [] {
              return triplet_margin_loss(ones({2, 3}), ones({2, 3}), ones({2, 3}), 1.0, -1.0);
            },
            {"triplet_margin_loss: ", "p is -1"})};
  row.ulps = 16;
  row.scale = 8;
  return row;
}

Sample any_triplet_sample(const std::string& name, const Tensors& inputs, bool manhattan, bool swap,
                          Reduction r) {
  const DistanceFunction distance = [](const Tensor& a, const Tensor& b) {
    return sum(abs(a - b), {-1});
  };
  const std::string options =
      "margin=1.5, swap=" + std::string(swap ? "True" : "False") + ", " +
      (manhattan ? "distance_function=lambda a, b: (a - b).abs().sum(-1), " : "") +
      torch_reduction(r);
  return sample(
      name + ", " + options, inputs,
      [=](const Tensors& in) {
        return triplet_margin_with_distance_loss(
            in[0], in[1], in[2], manhattan ? distance : DistanceFunction(), 1.5, swap, r);
      },
      [=](const Tensors& in) {
        const Triplet o{1.5, manhattan ? 1.0 : 2.0, manhattan ? 0.0 : 1e-6, swap};
        return triplet_reference(in, o, r);
      },
      "F.triplet_margin_with_distance_loss(x[0], x[1], x[2], " + options + ")");
}

Row any_triplet_row() {
  Tensors strides = three({3, 4}, 4);
  for (Tensor& x : strides) x = strided(x);
  Row row{"triplet_margin_with_distance_loss",
          {any_triplet_sample("(3, 4)", three({3, 4}, 1), false, false, Reduction::mean),
           any_triplet_sample("(3, 4) strided", strides, true, true, Reduction::none),
           any_triplet_sample("(0, 3)", three({0, 3}, 7), true, false, Reduction::sum)}};
  row.errors = {
      error("a negative margin",
            [] {
              return triplet_margin_with_distance_loss(ones({2}), ones({2}), ones({2}), {}, -1.0);
            },
            {"triplet_margin_with_distance_loss: ", "margin", "-1"}),
      error("ranks that differ",
            [] {
              return triplet_margin_with_distance_loss(ones({2, 3}), ones({3}), ones({2, 3}));
            },
            {"triplet_margin_with_distance_loss: ", "(2, 3)", "(3,)"}),
      error("whole numbers",
            [] { return triplet_margin_with_distance_loss(arange(3), arange(3), arange(3)); },
            {"triplet_margin_with_distance_loss: ", "i64"})};
  row.ulps = 16;
  row.scale = 8;
  return row;
}

Sample cosine_sample(const std::string& name, const Tensors& inputs, double margin, Reduction r) {
  return sample(
      name + ", margin " + text(margin) + ", " + name_of(r), inputs,
      [=](const Tensors& in) { return cosine_embedding_loss(in[0], in[1], in[2], margin, r); },
      [=](const Tensors& in) {
        const Array a(in[0]), b(in[1]), t(in[2]);
        const int64_t width = a.shape.back();
        const Array losses = make_array(t.shape, [&](const Shape& row) {
          double ab = 0, aa = 0, bb = 0;
          for (int64_t c = 0; c < width; ++c) {
            Shape at = row;
            at.push_back(c);
            ab += a.at(at) * b.at(at);
            aa += a.at(at) * a.at(at);
            bb += b.at(at) * b.at(at);
          }
          const double cosine = ab / std::sqrt((aa + 1e-12) * (bb + 1e-12));
          return t.at(row) == 1 ? 1 - cosine : std::max(0.0, cosine - margin);
        });
        return reduce_losses(losses, r);
      },
      "F.cosine_embedding_loss(x[0], x[1], x[2], margin=" + text(margin) + ", " +
          torch_reduction(r) + ")");
}

Row cosine_row() {
  const Tensor signs = tensor<int64_t>({1, -1, -1, 1, -1});
  Row row{
      "cosine_embedding_loss",
      {cosine_sample("(5, 4)", {input({5, 4}, 1), other({5, 4}, 2), signs}, 0.0, Reduction::mean),
       cosine_sample("(5, 3) strided",
                     {strided(input({5, 3}, 3)), strided(other({5, 3}, 4)), signs}, -0.5,
                     Reduction::none),
       cosine_sample("(4)", {input({4}, 5), other({4}, 6), scalar(-1, DType::i64)}, -1.5,
                     Reduction::sum),
       cosine_sample("(0, 3)", {input({0, 3}, 7), other({0, 3}, 8), zeros({0}, DType::i64)}, 0.0,
                     Reduction::sum)}};
  row.errors = {
      error("targets of another rank",
            [] {
              return cosine_embedding_loss(ones({2, 3}), ones({2, 3}), ones({2, 1}));
            },
            {"cosine_embedding_loss: ", "(2, 1)", "(2, 3)"}),
      error("widths that differ",
            [] {
              return cosine_embedding_loss(ones({2, 3}), ones({2, 4}), ones({2}));
            },
            {"cosine_embedding_loss: ", "(2, 3)", "(2, 4)"}),
      error("whole numbers", [] { return cosine_embedding_loss(arange(3), arange(3), scalar(1)); },
            {"cosine_embedding_loss: ", "i64"})};
  row.ulps = 16;
  row.scale = 2;
  return row;
}

}  // namespace

void add_distances(std::vector<Row>& rows) {
  rows.push_back(triplet_row());
  rows.push_back(any_triplet_row());
  rows.push_back(cosine_row());
  rows.push_back(similarity_row());
  rows.push_back(pairwise_row());
  rows.push_back(cdist_row());
}

}  // namespace adjoint::catalog
