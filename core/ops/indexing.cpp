// x.index({...}): what a list of indices says about a tensor.
#include <adjoint/core/indexing.h>

#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>

#include <algorithm>
#include <array>

#include "core/ops/defined.h"
#include "core/ops/loops.h"
#include "core/ops/places.h"

namespace adjoint {
namespace {

using Kind = Index::Kind;
using By = Places::By;

// The places that indices name, and the index of shared ones.
class Parser {
 public:
  Parser(const char* op, const Tensor& x, Indices given) : op_(op), x_(x) {
    check_defined(op, x, 0);
    count_dims(given);
    for (const Index& one : given) take(one);
    while (next_ < x.dim()) keep_dim();
    finish();
  }

  Places places{.by = By::ranges, .whole = false};
  Tensor index;

  // Whether it is all of x, as it is.
  bool everything() const { return places.by == By::ranges && places.whole; }

 private:
  // A tensor of indices, and the dimensions of the view in which it chooses.
  struct Entry {
    Tensor index;  // i64; of a mask, the places of the block of dimensions
    int first, dims;
    int64_t extent;
    bool mask;
  };

  static bool is_mask(const Tensor& t) { return t.dtype() == DType::boolean; }

  // How many dimensions of x an index is about.
  int dims_of(const Index& one) const {
    switch (one.kind) {
      case Kind::number:
      case Kind::slice:
        return 1;
      case Kind::tensor:
        check_defined(op_, one.tensor, "an index");
        return is_mask(one.tensor) ? one.tensor.dim() : 1;
      default:
        return 0;
    }
  }

  void count_dims(Indices given) {
    int named = 0;
    bool ellipsis = false;
    for (const Index& one : given) {
      named += dims_of(one);
      check<IndexError>(!ellipsis || one.kind != Kind::ellipsis, op_,
                        ": Ellipsis twice; expected it once");
      ellipsis = ellipsis || one.kind == Kind::ellipsis;
    }
    check<IndexError>(named <= x_.dim(), op_, ": indices of ", named,
                      " dimensions for a tensor of shape ", x_.shape(), "; expected at most ",
                      x_.dim());
    left_out_ = x_.dim() - named;
  }

  // The next dimension of x: all of it, to be seen.
  void keep_dim() {
    take_range(0, x_.shape()[next_], 1);
    places.ranges.shows.push_back(next_ - 1);
  }
  void take_range(int64_t start, int64_t size, int64_t step) {
    places.ranges.start.push_back(start);
    places.ranges.size.push_back(size);
    places.ranges.step.push_back(step);
    ++next_;
  }
  int shown() const { return places.ranges.shows.rank(); }

  void take(const Index& one) {
    switch (one.kind) {
      case Kind::number:
        return take_number(one.number);
      case Kind::boolean:
        return take_boolean(one.number != 0);
      case Kind::slice:
        return take_slice(one.slice);
      case Kind::none:
        return places.ranges.shows.push_back(-1);
      case Kind::ellipsis:
        for (int i = 0; i < left_out_; ++i) keep_dim();
        return;
      case Kind::tensor:
        return take_tensor(one.tensor);
    }
  }

  void take_number(int64_t number) {
    const int64_t size = x_.shape()[next_];
    check<IndexError>(number >= -size && number < size, op_, ": index ", number, " at dimension ",
                      next_, " of shape ", x_.shape(), "; expected a value in [", -size, ", ", size,
                      ")");
    take_range(number < 0 ? number + size : number, 1, 1);
  }

  void take_slice(const Slice& slice) {
    const int64_t size = x_.shape()[next_], step = slice.step.given ? slice.step.at : 1;
    check<IndexError>(step >= 1, op_, ": a slice of step ", step, " at dimension ", next_,
                      " of shape ", x_.shape(), "; expected 1 or more");
    const auto clamped = [size](const Slice::Bound& bound, int64_t otherwise) {
      if (!bound.given) return otherwise;
      return std::clamp<int64_t>(bound.at < 0 ? bound.at + size : bound.at, 0, size);
    };
    const int64_t start = clamped(slice.start, 0), stop = clamped(slice.stop, size);
    // Rounded up without `+ step - 1`: any step will do.
    take_range(start, stop > start ? (stop - start - 1) / step + 1 : 0, step);
    places.ranges.shows.push_back(next_ - 1);
  }

  // A new dimension, of which it chooses the one element or none.
  void take_boolean(bool value) {
    entries_.push_back({zeros({value ? 1 : 0}, DType::i64), shown(), 1, 1, true});
    places.ranges.shows.push_back(-1);
  }

  void take_tensor(const Tensor& given) {
    check<DTypeError>(given.dtype() != DType::u8, op_,
                      ": an index of dtype u8; expected bool for a mask, i64 or i32 for numbers; "
                      "convert it with to()");
    check<DTypeError>(!is_floating_point(given.dtype()), op_, ": an index of dtype ", given.dtype(),
                      "; expected i64, i32 or bool");
    if (given.dim() == 0) {
      return is_mask(given) ? take_boolean(given.item<bool>()) : take_number(given.item<int64_t>());
    }
    const int first = shown(), dims = is_mask(given) ? given.dim() : 1;
    int64_t extent = 1;
    for (int d = 0; d < dims; ++d) {
      extent *= x_.shape()[next_ + d];
      check<IndexError>(!is_mask(given) || given.shape()[d] == x_.shape()[next_ + d], op_,
                        ": a mask of shape ", given.shape(), " from dimension ", next_,
                        " of shape ", x_.shape(), "; expected the same sizes");
    }
    if (is_mask(given)) {
      entries_.push_back({true_places(given), first, dims, extent, true});
    } else {
      const Tensor numbers = indices(op_, given);
      check_range_in(op_, numbers, x_, next_, true);
      entries_.push_back({numbers, first, dims, extent, false});
    }
    for (int d = 0; d < dims; ++d) keep_dim();
  }

  void finish() {
    Ranges& ranges = places.ranges;
    bool whole = ranges.shows.rank() == x_.dim();
    for (int d = 0; d < x_.dim(); ++d) {
      whole = whole && ranges.shows[d] == d && ranges.size[d] == x_.shape()[d];
    }
    places.whole = whole;
    if (entries_.empty()) return;
    places.by = By::shared;
    places.distinct = entries_.size() == 1 && entries_[0].mask;
    places.place = entries_[0].first;
    for (size_t i = 0; i < entries_.size(); ++i) {
      const Entry& e = entries_[i];
      if (i > 0 && entries_[i - 1].first + entries_[i - 1].dims != e.first) places.place = 0;
      for (int d = 0; d < e.dims; ++d) places.dims.push_back(e.first + d);
    }
    index = entries_.size() == 1 ? entries_[0].index : combined();
  }

  // The numbers of elements in all the dimensions that are indexed.
  Tensor combined() const {
    Shape shape = entries_[0].index.shape();
    for (const Entry& e : entries_) shape = together(shape, e.index.shape());
    Tensor sum = zeros(shape, DType::i64);
    int64_t weight = 1;
    for (size_t i = entries_.size(); i-- > 0;) {
      const Entry& e = entries_[i];
      kernel_table().index.combine(KernelScope(), make_loop<2>(shape, {&sum, &e.index}), e.extent,
                                   weight);
      weight *= e.extent;
    }
    return sum;
  }

  Shape together(const Shape& a, const Shape& b) const {
    const Shape& longer = a.rank() >= b.rank() ? a : b;
    const Shape& shorter = a.rank() >= b.rank() ? b : a;
    for (int d = 1; d <= shorter.rank(); ++d) {
      const int64_t p = longer[longer.rank() - d], q = shorter[shorter.rank() - d];
      check<IndexError>(p == q || p == 1 || q == 1, op_, ": indices of shapes ", a, " and ", b,
                        "; expected shapes that broadcast together");
    }
    return broadcast_shapes(op_, a, b);
  }

  const char* op_;
  const Tensor& x_;
  int next_ = 0;      // dimension of x
  int left_out_ = 0;  // dimensions that no index names: those of Ellipsis, or the last
  std::vector<Entry> entries_;
};

// Values of x's dtype for these places.
Tensor put(const char* name, const char* functional, const Tensor& x, Indices given,
           const Tensor& values, bool accumulate) {
  const Parser at(name, x, given);
  const Write how = accumulate ? Write::add : Write::assign;
  if (functional == nullptr) return with_places(name, x, at.places, at.index, values, how);
  write_places(name, functional, x, at.places, at.index, values, how);
  return {};
}

void check_values(const char* op, const Tensor& x, const Tensor& values) {
  check_defined(op, values, "the value");
  check<DTypeError>(values.dtype() == x.dtype(), op, ": values of dtype ", values.dtype(),
                    " for a tensor of dtype ", x.dtype(),
                    "; expected the same; convert them with to()");
}

Indices list(std::initializer_list<Index> given) { return {given.begin(), given.size()}; }

}  // namespace

Tensor index(const Tensor& x, Indices given) {
  const Parser at("index", x, given);
  return at.everything() ? x : read_places("index", x, at.places, at.index);
}

Tensor index_put(const Tensor& x, Indices given, const Tensor& values, bool accumulate) {
  check_values("index_put", x, values);
  return put("index_put", nullptr, x, given, values, accumulate);
}
Tensor index_put(const Tensor& x, Indices given, Scalar value, bool accumulate) {
  return put("index_put", nullptr, x, given, held_scalar("index_put", value, x.dtype()),
             accumulate);
}
void index_put_(const Tensor& x, Indices given, const Tensor& values, bool accumulate) {
  check_values("index_put_", x, values);
  put("index_put_", "index_put()", x, given, values, accumulate);
}
void index_put_(const Tensor& x, Indices given, Scalar value, bool accumulate) {
  put("index_put_", "index_put()", x, given, held_scalar("index_put_", value, x.dtype()),
      accumulate);
}

Indexed Tensor::index(std::initializer_list<Index> given) const { return {*this, given}; }
void Tensor::index_put_(std::initializer_list<Index> given, const Tensor& values,
                        bool accumulate) const {
  adjoint::index_put_(*this, list(given), values, accumulate);
}
void Tensor::index_put_(std::initializer_list<Index> given, Scalar value, bool accumulate) const {
  adjoint::index_put_(*this, list(given), value, accumulate);
}

void Indexed::operator=(const Tensor& values) && {
  check_defined("index_put_", values, "the value");
  // Sizes of 1 in front are as good as none.
  Tensor v = to(values, x_.dtype());
  const Parser at("index_put_", x_, indices_);
  const int rank = values_shape(x_, at.places, at.index).rank();
  while (v.dim() > rank && v.shape()[0] == 1) v = squeeze(v, 0);
  write_places("index_put_", "index_put()", x_, at.places, at.index, v, Write::assign);
}
void Indexed::operator=(Scalar value) && { adjoint::index_put_(x_, indices_, value); }

Tensor Indexed::copy() const {
  const Tensor part = read();
  return share_elements(part, x_) ? clone(part) : part;
}

}  // namespace adjoint
