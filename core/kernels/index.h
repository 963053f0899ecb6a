// Kernels that move rows: embedding and its gradient, triangles.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Rows of a table, by indices that operators have checked. All arrays are contiguous.
struct Rows {
  const int64_t* indices;
  int64_t count;  // of indices
  int64_t width;  // elements of a row
  int64_t skip;   // an index whose gradients are dropped; -1 for none
};

struct Triangle {
  const void* x;
  void* y;
  int64_t matrices, rows, columns, diagonal;
  bool lower;
};

struct IndexTable {
  // out[i] = table[indices[i]]; by DType
  void (*gather[kPlaces])(const Exec&, const Rows&, const void* table, void* out);
  // table[indices[i]] += dy[i], in the order of i for each row, whatever the number of threads; by
  // dy's DType. The table is of what that is computed in: f32 for bf16.
  void (*scatter_add[kFloatingPlaces])(const Exec&, const Rows&, const void* dy, void* table);
  // y = x on one side of the diagonal, 0 on the other; by DType.
  void (*triangle[kPlaces])(const Exec&, const Triangle&);
};

}  // namespace adjoint::kernels
