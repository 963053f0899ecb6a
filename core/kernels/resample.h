// Planes read at other places: by one sparse matrix for each of their dimensions, or by lists of
// places.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// y[o] = sum of weight[k] x[index[k]] over k in [begin[o], begin[o + 1]), along each of three
// dimensions: depth, height, width, of size 1 where there is no such one.
struct Resample {
  int64_t planes;
  int64_t in[3], out[3];
  const int64_t* begin[3];
  const int64_t* index[3];
  const double* weight[3];
  const void* x;
  void* y;
};

// Lists of places in planes of `size` elements: `taps` for each of `outputs` results, the same for
// the `channels` planes of each of `groups`. index and weight are (groups, taps, outputs); a
// negative index is nothing, weight may be null: ones. x is (groups, channels, size), y is
// (groups, channels, outputs). Of the dtype of the entry, weights of what that is computed in.
struct Taps {
  int64_t groups, channels, size, outputs, taps;
  const int64_t* index;
  const void* weight;
};

// What lies around each place of a grid, as lists of places for the above: `outputs` places in each
// of `groups`, of `rank` coordinates in [-1, 1], the width's first. index and weight are (groups,
// taps, outputs) with 1, 2 or 4 taps for each size (nearest, linear, cubic), those of the width
// varying fastest. Coordinates and weights are of the dtype of the entry.
struct GridTaps {
  int64_t groups, outputs;
  int32_t rank;
  int64_t size[3];  // of the width, the height, the depth
  int64_t taps_each;
  bool border, reflection, align_corners;  // neither border nor reflection: nothing outside
  const void* grid;
  int64_t* index;
  void* weight;
  // Backward: dgrid of dweight. index and weight are not looked at.
  const void* dweight;
  void* dgrid;
};

struct ResampleTable {
  void (*resample[kFloatingPlaces])(const Exec&, const Resample&);
  // y = sum over taps of weight x[index].
  void (*gather[kFloatingPlaces])(const Exec&, const Taps&, const void* x, void* y);
  // x[index] = sum of weight y, in the order of results, then taps; 0 where there is none. x is of
  // what y is computed in.
  void (*scatter[kFloatingPlaces])(const Exec&, const Taps&, const void* y, void* x);
  // weight = sum over channels of y x[index], of what they are computed in.
  void (*correlate[kFloatingPlaces])(const Exec&, const Taps&, const void* y, const void* x,
                                     void* weight);
  void (*grid_taps[2])(const Exec&, const GridTaps&);  // f32, f64
  void (*grid_taps_backward[2])(const Exec&, const GridTaps&);
};

}  // namespace adjoint::kernels
