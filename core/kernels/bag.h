// Sums of rows of a table, bag by bag.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Bag b has the entries [begin[b], begin[b + 1]); entry i is row index[i] of the table, in bag
// bag[i], nothing where index[i] is negative. weight is by entry, of what the dtype of the entry is
// computed in, or null: ones. All arrays are contiguous.
struct Bags {
  const int64_t *index, *bag, *begin;
  int64_t count, bags, width;
  const void* weight;
};

struct BagTable {
  // y[b] = sum of weight table[index], 0 where a bag is empty.
  void (*sum[kFloatingPlaces])(const Exec&, const Bags&, const void* table, void* y);
  // table[index] += weight y[bag], in the order of the entries, whatever the number of threads; the
  // table is of what y is computed in.
  void (*scatter[kFloatingPlaces])(const Exec&, const Bags&, const void* y, void* table);
  // weight[i] = y[bag] . table[index], of what they are computed in.
  void (*dot[kFloatingPlaces])(const Exec&, const Bags&, const void* y, const void* table,
                               void* weight);
  // Which element of the table is the largest of a bag in each column, the first of equals; NaN
  // wins; -1 where the bag is empty.
  void (*find_max[kFloatingPlaces])(const Exec&, const Bags&, const void* table, int64_t* found);
};

}  // namespace adjoint::kernels
