// Elements put in order, and found in it. NaN is larger than every number, and 0 equals -0.
//
// Equal elements keep their order: everything here is `stable`, whether that is asked for or not.
#pragma once

#include <adjoint/core/reductions.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>

namespace adjoint {

ValuesAndIndices sort(const Tensor& x, int64_t dim = -1, bool descending = false,
                      bool stable = false);
Tensor argsort(const Tensor& x, int64_t dim = -1, bool descending = false,
               bool stable = false);  // no gradient
// The k largest (smallest) elements; of equal ones the first. Not sorted: in the order of x.
ValuesAndIndices topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true,
                      bool sorted = true);

// The k-th smallest element along dim, k = 1 being the smallest, and its index.
ValuesAndIndices kthvalue(const Tensor& x, int64_t k, int64_t dim = -1, bool keepdim = false);
// The commonest value along dim, of equally common ones the smallest, and the index of the last
// element that has it. NaN equals nothing.
ValuesAndIndices mode(const Tensor& x, int64_t dim = -1, bool keepdim = false);

// Each value once, in order (`sorted` or not), without gradient. With a dim the values are the
// tensors that x has along it, in lexicographic order. NaN equals nothing, not even itself.
struct UniqueValues {
  Tensor values;
  Tensor inverse;  // i64, where each element of x stands in values; undefined unless asked for
  Tensor counts;   // i64, how often each value is there; likewise
};
UniqueValues unique(const Tensor& x, bool sorted = true, bool return_inverse = false,
                    bool return_counts = false, std::optional<int64_t> dim = std::nullopt);
// The same without putting them in order first: each run of equal values once.
UniqueValues unique_consecutive(const Tensor& x, bool return_inverse = false,
                                bool return_counts = false,
                                std::optional<int64_t> dim = std::nullopt);

// Where each value would go into the sorted sequence: the i with sequence[i - 1] < value <=
// sequence[i], or, `right`, sequence[i - 1] <= value < sequence[i]; i64, no gradient. The sequence
// has one dimension, or as many as values and the same sizes but for the last. Equal dtypes.
Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool right = false);
Tensor searchsorted(const Tensor& sorted_sequence, Scalar value, bool right = false);
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right = false);
enum class SearchSide : uint8_t { left, right };
struct SearchOptions {
  bool right = false;
  std::optional<SearchSide> side = std::nullopt;  // the other word for `right`
  bool out_int32 = false;
  // The places of the sequence's elements in order, as argsort gives them, where it is not sorted
  // itself; of its shape. Of searchsorted only.
  Tensor sorter = {};
};
Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values,
                    const SearchOptions& options);
Tensor searchsorted(const Tensor& sorted_sequence, Scalar value, const SearchOptions& options);
Tensor bucketize(const Tensor& x, const Tensor& boundaries, const SearchOptions& options);
// How many elements lie in each of `bins` equal intervals from min to max (of x itself where these
// are equal), in x's dtype; those outside, and NaN, count nowhere. No gradient.
Tensor histc(const Tensor& x, int64_t bins = 100, double min = 0, double max = 0);
// How often each number 0, 1, ... is in x (one dimension; whole numbers, none negative), i64, or
// the sum of the weights that stand beside it, in their dtype (f64 for whole ones) and with a
// gradient. `minlength`: at least so many numbers.
Tensor bincount(const Tensor& x, const Tensor& weights = {}, int64_t minlength = 0);
// Whether each element is (invert: is not) among the test elements; bool, no gradient. NaN is
// nowhere. `assume_unique` changes nothing.
Tensor isin(const Tensor& elements, const Tensor& test_elements, bool assume_unique = false,
            bool invert = false);
Tensor isin(const Tensor& elements, Scalar test_element, bool assume_unique = false,
            bool invert = false);
Tensor isin(Scalar element, const Tensor& test_elements, bool assume_unique = false,
            bool invert = false);

}  // namespace adjoint
