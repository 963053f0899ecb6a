// Digits drawn by a program: images to learn where there are no files.
#pragma once

#include <adjoint/data/images.h>

#include <cstdint>

namespace adjoint::data {

// `count` images of 28x28, white on black, and the digits that they show: (count, 1, 28, 28). Each
// digit is one stroke through a few points, which are moved at random; the whole is turned,
// slanted, scaled and shifted, drawn with a pen of random width and brightness, and crossed by a
// short stroke of nobody's in one of four. Image i is a function of the seed and i alone.
ImageSet render_digits(int64_t count, uint64_t seed);

}  // namespace adjoint::data
