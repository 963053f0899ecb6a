// Kernels that move elements by index: gathers, scatters, sums of what goes to one place, the
// places of what is true; and triangles.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"
#include "core/kernels/loop.h"

namespace adjoint::kernels {

// What an index stands for. In loops over a table and i64 indices the table is its element at index
// 0, with stride 0 in the dimensions in which indices move it. Operators have checked them.
struct Along {
  int64_t step;       // from one place to the next, in elements of the table
  int64_t extent;     // how many places there are: negative indices count from there
  int64_t skip = -1;  // a place: what is sent there is dropped; -1 for none
};

// What a table does with values beside adding them.
enum class Fold : int32_t { multiply, maximum, minimum, count };

// Elements that one count of CountTrue is about.
constexpr int64_t kMaskBlock = 16384;

// Numbers of elements in row-major order, each in [-extent, extent), as coordinates.
struct Unravel {
  const int64_t* flat;
  int64_t count, extent;
  int32_t rank;
  int64_t size[8], stride[8];  // outermost first
  int64_t* out;
};

struct Triangle {
  const void* x;
  void* y;
  int64_t matrices, rows, columns, diagonal;
  bool lower;
};

struct IndexTable {
  // {values, indices, table}: values = table[indices]. By size of element: 1, 2, 4, 8 bytes.
  void (*gather[4])(const Exec&, const Loop<3>&, const Along&);
  // {table, indices, values}: table[indices] = values. Values that go to one place are written in
  // row-major order of the loop, whatever the number of threads. REQUIRES: the table's elements are
  // distinct. By size of element.
  void (*scatter[4])(const Exec&, const Loop<3>&, const Along&);
  // The same with table[indices] += values, by the values' DType; the table is of what that is
  // computed in (f32 for bf16). None for i32, u8 and bool.
  void (*add[kPlaces])(const Exec&, const Loop<3>&, const Along&);
  // f32, f64 and i64; NaN wins.
  void (*fold[static_cast<int>(Fold::count)][kPlaces])(const Exec&, const Loop<3>&, const Along&);
  // {indices}: sets *found if one is not in [low, high).
  void (*outside)(const Exec&, const Loop<1>&, int64_t low, int64_t high, bool* found);
  // {sums, indices}: sums += weight * indices, negative ones counted from extent.
  void (*combine)(const Exec&, const Loop<2>&, int64_t extent, int64_t weight);
  // out (count): the offsets of the elements, the sum of coordinate times stride.
  void (*offsets)(const Exec&, const Unravel&);
  // out (count, rank): the coordinates.
  void (*coordinates)(const Exec&, const Unravel&);
  // How many of each kMaskBlock elements are true.
  void (*count_true)(const Exec&, const bool* mask, int64_t n, int64_t* counts);
  // The numbers of the elements that are true; those of block i are written from out + starts[i].
  void (*where_true)(const Exec&, const bool* mask, int64_t n, const int64_t* starts, int64_t* out);
  // y = x on one side of the diagonal, 0 on the other; by DType.
  void (*triangle[kPlaces])(const Exec&, const Triangle&);
};

}  // namespace adjoint::kernels
