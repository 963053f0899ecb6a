// Sums of products by index: einsum, and what it has in common with tensordot.
#include "core/ops/einsum.h"

#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <array>
#include <limits>

#include "core/ops/linalg.h"

namespace adjoint {
namespace linalg {
namespace {

using Labels = std::vector<int>;
using Sizes = std::array<int64_t, kLabels>;

uint64_t bit(int label) { return uint64_t{1} << label; }

uint64_t set_of(const Labels& labels) {
  uint64_t set = 0;
  for (const int label : labels) set |= bit(label);
  return set;
}

int place_of(const Labels& labels, int label) {
  return static_cast<int>(std::find(labels.begin(), labels.end(), label) - labels.begin());
}

// The size of each label; 1 where all are.
Sizes sizes_of(const Op& op, const std::vector<Labelled>& operands) {
  Sizes sizes;
  sizes.fill(1);
  for (size_t i = 0; i < operands.size(); ++i) {
    const Labelled& one = operands[i];
    for (int d = 0; d < one.x.dim(); ++d) {
      int64_t& size = sizes[static_cast<size_t>(one.labels[static_cast<size_t>(d)])];
      const int64_t own = one.x.shape()[d];
      op.check(own == size || own == 1 || size == 1, "size ", own, " of dimension ", d,
               " of operand ", i, ", of shape ", one.x.shape(), ", against ", size,
               "; expected equal sizes where an index is shared, or 1");
      if (own != 1) size = own;
    }
  }
  return sizes;
}

// A label for each dimension once, and no dimension that broadcasting would repeat.
Labelled simplified(const Op& op, Labelled one, const Sizes& sizes) {
  for (int d = 0; d < one.x.dim(); ++d) {
    const int label = one.labels[static_cast<size_t>(d)];
    const auto at = one.labels.begin() + d;
    if (one.x.shape()[d] != sizes[static_cast<size_t>(label)]) {
      one.x = squeeze(one.x, d);
      one.labels.erase(at);
      --d;
      continue;
    }
    const auto again = std::find(at + 1, one.labels.end(), label);
    if (again == one.labels.end()) continue;
    const auto other = static_cast<int>(again - one.labels.begin());
    op.check(one.x.shape()[d] == one.x.shape()[other], "sizes ", one.x.shape()[d], " and ",
             one.x.shape()[other], " for one index of a tensor of shape ", one.x.shape(),
             "; expected a diagonal of equal sizes");
    Shape order;
    for (int k = 0; k < one.x.dim(); ++k) {
      if (k != d && k != other) order.push_back(k);
    }
    order.push_back(d);
    order.push_back(other);
    one.x = diagonal(permute(one.x, order), 0, -2, -1);
    one.labels.erase(again);
    one.labels.erase(one.labels.begin() + d);
    one.labels.push_back(label);
    --d;
  }
  return one;
}

// Without the labels that are not in `kept`.
Labelled summed(Labelled one, uint64_t kept) {
  Shape dims;
  Labels left;
  for (int d = 0; d < one.x.dim(); ++d) {
    const int label = one.labels[static_cast<size_t>(d)];
    if ((kept & bit(label)) != 0) {
      left.push_back(label);
    } else {
      dims.push_back(d);
    }
  }
  if (!dims.empty()) one.x = sum(one.x, dims);
  one.labels = left;
  return one;
}

Tensor permuted(const Labelled& one, const Labels& order) {
  Shape dims;
  bool moves = false;
  for (const int label : order) {
    moves = moves || place_of(one.labels, label) != dims.rank();
    dims.push_back(place_of(one.labels, label));
  }
  return moves ? permute(one.x, dims) : one.x;
}

Labels joined(Labels a, const Labels& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Shape shape_of(const Labels& labels, const Sizes& sizes) {
  Shape shape;
  for (const int label : labels) shape.push_back(sizes[static_cast<size_t>(label)]);
  return shape;
}

// The product of two operands, summed over what nobody needs any more: matrices of what only one of
// them has, for every index that both have and keep.
Labelled multiplied(const Op& op, Labelled a, Labelled b, uint64_t kept, const Sizes& sizes) {
  const uint64_t of_a = set_of(a.labels), of_b = set_of(b.labels);
  a = summed(std::move(a), kept | of_b);
  b = summed(std::move(b), kept | of_a);
  Labels batch, sums, rows, columns;
  // The sum goes in the order in which the larger operand lies.
  const Labelled& larger = a.x.numel() >= b.x.numel() ? a : b;
  for (const int label : larger.labels) {
    if ((of_a & of_b & bit(label)) != 0) ((kept & bit(label)) != 0 ? batch : sums).push_back(label);
  }
  for (const int label : a.labels) {
    if ((of_b & bit(label)) == 0) rows.push_back(label);
  }
  for (const int label : b.labels) {
    if ((of_a & bit(label)) == 0) columns.push_back(label);
  }
  const Labels result = joined(joined(batch, rows), columns);
  const Shape lead = shape_of(batch, sizes), shape = shape_of(result, sizes);
  if (sums.empty()) {
    Shape left = joined(batch, rows).empty() ? Shape() : shape_of(joined(batch, rows), sizes);
    for (size_t i = 0; i < columns.size(); ++i) left.push_back(1);
    Shape right = lead;
    for (size_t i = 0; i < rows.size(); ++i) right.push_back(1);
    for (const int label : columns) right.push_back(sizes[static_cast<size_t>(label)]);
    return {reshape(permuted(a, joined(batch, rows)), left) *
                reshape(permuted(b, joined(batch, columns)), right),
            result};
  }
  linalg::product_dtype(op, {&a.x, &b.x});
  if (rows.empty() && columns.empty()) {  // numbers, for which a product of matrices is no use
    Shape dims;
    for (size_t i = 0; i < sums.size(); ++i) dims.push_back(lead.rank() + static_cast<int64_t>(i));
    const Labels order = joined(batch, sums);
    return {linalg::sum_of_products(permuted(a, order), permuted(b, order), dims), result};
  }
  const int64_t m = shape_of(rows, sizes).numel(), k = shape_of(sums, sizes).numel(),
                n = shape_of(columns, sizes).numel();
  const Tensor left =
      reshape(permuted(a, joined(joined(batch, rows), sums)), with_matrix(lead, m, k));
  const Tensor right =
      reshape(permuted(b, joined(joined(batch, sums), columns)), with_matrix(lead, k, n));
  return {reshape(matmul(left, right), shape), result};
}

// Which two of the operands (sets of labels) to multiply first, and what all products cost then.
struct Plan {
  size_t first = 0, second = 1;
  double cost = 0;
};

// All orders are tried up to this many operands; beyond, the cheapest next product is made.
constexpr size_t kAllOrders = 5;

Plan cheapest(const std::vector<uint64_t>& operands, uint64_t output, const Sizes& sizes) {
  Plan best;
  if (operands.size() < 2) return best;
  best.cost = std::numeric_limits<double>::infinity();
  const auto elements = [&](uint64_t set) {
    double product = 1;
    for (int label = 0; label < kLabels; ++label) {
      if ((set & bit(label)) != 0)
        product *= static_cast<double>(sizes[static_cast<size_t>(label)]);
    }
    return product;
  };
  for (size_t i = 0; i < operands.size(); ++i) {
    for (size_t j = i + 1; j < operands.size(); ++j) {
      uint64_t others = output;
      std::vector<uint64_t> left;
      for (size_t k = 0; k < operands.size(); ++k) {
        if (k == i || k == j) continue;
        others |= operands[k];
        left.push_back(operands[k]);
      }
      const uint64_t both = operands[i] | operands[j];
      left.push_back(both & others);
      double cost = elements(both);
      if (operands.size() <= kAllOrders) {
        cost += cheapest(left, output, sizes).cost;
      } else {  // a large result makes the next product dear
        cost += elements(both & others);
      }
      if (cost < best.cost) best = {i, j, cost};
    }
  }
  return best;
}

}  // namespace

Tensor sum_of_products(const Tensor& a, const Tensor& b, const Shape& dims) {
  const DType dtype = promote(a.dtype(), b.dtype()), wide = computed_in(dtype);
  return to(sum(to(a, wide) * to(b, wide), dims), dtype);
}

Tensor contract_labels(const Op& op, std::vector<Labelled> operands, const Labels& output) {
  const Sizes sizes = sizes_of(op, operands);
  DType dtype = operands[0].x.dtype();
  for (const Labelled& one : operands) dtype = promote(dtype, one.x.dtype());
  const bool wraps = is_integer(dtype) && operands.size() > 1;  // where sums alone are of i64
  for (Labelled& one : operands) one = simplified(op, std::move(one), sizes);
  const uint64_t wanted = set_of(output);
  while (operands.size() > 1) {
    std::vector<uint64_t> sets;
    for (const Labelled& one : operands) sets.push_back(set_of(one.labels));
    Plan plan;
    if (operands.size() > 2) plan = cheapest(sets, wanted, sizes);
    uint64_t kept = wanted;
    for (size_t i = 0; i < operands.size(); ++i) {
      if (i != plan.first && i != plan.second) kept |= sets[i];
    }
    Labelled product = multiplied(op, std::move(operands[plan.first]),
                                  std::move(operands[plan.second]), kept, sizes);
    operands.erase(operands.begin() + static_cast<std::ptrdiff_t>(plan.second));
    operands[plan.first] = std::move(product);
  }
  const Tensor y = permuted(summed(std::move(operands[0]), wanted), output);
  return wraps ? to(y, dtype) : y;
}

}  // namespace linalg

namespace {

using linalg::Labelled;

constexpr int kLetters = 52, kEllipsis = -1;

int label_of(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  return letter >= 'a' && letter <= 'z' ? letter - 'a' + 26 : kEllipsis;
}

// The letters of one term, kEllipsis for its "...".
std::vector<int> parse_term(const Op& op, const std::string& equation, const std::string& term) {
  std::vector<int> labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (term[i] == ' ') continue;
    if (term.compare(i, 3, "...") == 0) {
      op.check<ConfigError>(std::find(labels.begin(), labels.end(), kEllipsis) == labels.end(),
                            "two ellipses in the term '", term, "' of '", equation,
                            "'; expected at most one");
      labels.push_back(kEllipsis);
      i += 2;
      continue;
    }
    const int label = label_of(term[i]);
    op.check<ConfigError>(label != kEllipsis, "'", term[i], "' in the term '", term, "' of '",
                          equation, "'; expected letters and \"...\"");
    labels.push_back(label);
  }
  return labels;
}

// The labels of an operand's dimensions; those of the ellipsis count from the end of kLetters +
// `wide`, so that they broadcast from the right.
std::vector<int> complete_term(const std::vector<int>& term, int hidden, int wide) {
  std::vector<int> labels;
  for (const int label : term) {
    if (label != kEllipsis) {
      labels.push_back(label);
      continue;
    }
    for (int i = wide - hidden; i < wide; ++i) labels.push_back(kLetters + i);
  }
  return labels;
}

std::vector<std::string> split_terms(const std::string& text) {
  std::vector<std::string> terms(1);
  for (const char c : text) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  return terms;
}

// The ellipsis, then the letters that appear once, in their order.
std::vector<int> implicit_output(const std::vector<std::vector<int>>& terms) {
  std::array<int, kLetters> count{};
  for (const std::vector<int>& term : terms) {
    for (const int label : term) {
      if (label != kEllipsis) ++count[static_cast<size_t>(label)];
    }
  }
  std::vector<int> output{kEllipsis};
  for (int label = 0; label < kLetters; ++label) {
    if (count[static_cast<size_t>(label)] == 1) output.push_back(label);
  }
  return output;
}

void check_output(const Op& op, const std::string& equation, const std::vector<int>& output,
                  const std::vector<std::vector<int>>& terms) {
  for (auto label = output.begin(); label != output.end(); ++label) {
    if (*label == kEllipsis) continue;
    const char letter = static_cast<char>(*label < 26 ? 'A' + *label : 'a' + *label - 26);
    op.check<ConfigError>(std::find(label + 1, output.end(), *label) == output.end(), "'", letter,
                          "' twice in the output of '", equation, "'; expected each index once");
    const bool known = std::any_of(terms.begin(), terms.end(), [&](const std::vector<int>& term) {
      return std::find(term.begin(), term.end(), *label) != term.end();
    });
    op.check<ConfigError>(known, "'", letter, "' in the output of '", equation,
                          "' but in no operand; expected an index of an operand");
  }
}

}  // namespace

Tensor einsum(const std::string& equation, std::span<const Tensor> operands) {
  const Op op("einsum", operands, {{"equation", equation.c_str()}});
  const size_t arrow = equation.find("->");
  std::vector<std::vector<int>> terms;
  for (const std::string& term : split_terms(equation.substr(0, arrow))) {
    terms.push_back(parse_term(op, equation, term));
  }
  op.check<ConfigError>(!operands.empty() && terms.size() == operands.size(), "'", equation,
                        "' has ", terms.size(), " terms for ", operands.size(),
                        " operands; expected as many, and at least one");
  std::vector<int> hidden;  // dimensions behind each ellipsis
  for (size_t i = 0; i < terms.size(); ++i) {
    const Tensor& x = operands[i];
    linalg::check_numbers(op, x.dtype());
    const bool dots = std::find(terms[i].begin(), terms[i].end(), kEllipsis) != terms[i].end();
    const int named = static_cast<int>(terms[i].size()) - (dots ? 1 : 0);
    op.check(dots ? named <= x.dim() : named == x.dim(), "the term of operand ", i, " of '",
             equation, "' names ", named, " dimensions of a tensor of shape ", x.shape(),
             "; expected ", dots ? "no more than it has" : "each of them");
    hidden.push_back(dots ? x.dim() - named : 0);
  }
  const std::vector<int> output = arrow == std::string::npos
                                      ? implicit_output(terms)
                                      : parse_term(op, equation, equation.substr(arrow + 2));
  check_output(op, equation, output, terms);
  const int wide = *std::max_element(hidden.begin(), hidden.end());
  std::vector<Labelled> labelled;
  for (size_t i = 0; i < terms.size(); ++i) {
    labelled.push_back({operands[i], complete_term(terms[i], hidden[i], wide)});
  }
  return linalg::contract_labels(op, std::move(labelled), complete_term(output, wide, wide));
}

}  // namespace adjoint
