#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/factories.h>
#include <adjoint/core/file.h>
#include <adjoint/core/gzip.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/data/images.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

namespace adjoint::data {
namespace {

using Bytes = std::vector<std::byte>;

// DEFLATE makes at most 258 bytes out of two bits.
constexpr uint64_t kMostExpansion = 1032;
constexpr int kMaxIdxRank = 8;

// A file's contents, decompressed where it is gzip.
Bytes contents(const std::string& path) {
  Bytes bytes = io::read_file(path);
  if (!io::is_gzip(bytes)) return bytes;
  return io::gunzip(bytes, path, kMostExpansion * bytes.size());
}

uint32_t big_endian(const std::byte* at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint32_t>(at[i]);
  return value;
}

// Elements stored with the most significant byte first, as T.
template <class T, class Stored>
Tensor decoded(const std::byte* from, const Shape& shape) {
  Tensor out = empty(shape, dtype_of<T>);
  T* to = out.mutable_data<T>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    std::byte raw[sizeof(Stored)];
    for (size_t b = 0; b < sizeof(Stored); ++b) {
      raw[std::endian::native == std::endian::little ? sizeof(Stored) - 1 - b : b] =
          from[static_cast<size_t>(i) * sizeof(Stored) + b];
    }
    Stored value;
    std::memcpy(&value, raw, sizeof value);
    to[i] = static_cast<T>(value);
  }
  return out;
}

struct IdxType {
  uint8_t code;
  uint64_t bytes;
  Tensor (*decode)(const std::byte*, const Shape&);
};
constexpr IdxType kIdxTypes[] = {
    {0x08, 1, decoded<uint8_t, uint8_t>}, {0x09, 1, decoded<int32_t, int8_t>},
    {0x0B, 2, decoded<int32_t, int16_t>}, {0x0C, 4, decoded<int32_t, int32_t>},
    {0x0D, 4, decoded<float, float>},     {0x0E, 8, decoded<double, double>},
};

std::string existing(const std::string& folder, const std::string& name) {
  const std::string path = (std::filesystem::path(folder) / name).string();
  for (const std::string& candidate : {path, path + ".gz"}) {
    if (std::filesystem::exists(candidate)) return candidate;
  }
  fail<IoError>(path, ": no such file, nor with .gz; expected a folder with the files of MNIST");
}

}  // namespace

Tensor load_idx(const std::string& path) {
  const Bytes bytes = contents(path);
  check<IoError>(bytes.size() >= 4 && bytes[0] == std::byte{0} && bytes[1] == std::byte{0}, path,
                 ": not an IDX file; expected it to begin with two bytes 0");
  const auto code = static_cast<uint8_t>(bytes[2]);
  const auto* const type = std::find_if(std::begin(kIdxTypes), std::end(kIdxTypes),
                                        [&](const IdxType& t) { return t.code == code; });
  check<IoError>(type != std::end(kIdxTypes), path, ": elements of the unknown type ", int{code});
  const auto rank = static_cast<size_t>(bytes[3]);
  check<IoError>(rank <= kMaxIdxRank && bytes.size() >= 4 + 4 * rank, path, ": ", rank,
                 " dimensions in ", bytes.size(), " bytes; expected at most ", kMaxIdxRank);
  std::vector<int64_t> sizes;
  uint64_t expected = type->bytes;
  for (size_t i = 0; i < rank; ++i) {
    const uint32_t size = big_endian(bytes.data() + 4 + 4 * i);
    sizes.push_back(size);
    check<IoError>(!__builtin_mul_overflow(expected, uint64_t{size}, &expected), path,
                   ": more elements than there can be");
  }
  check<IoError>(expected == bytes.size() - 4 - 4 * rank, path, ": ", bytes.size() - 4 - 4 * rank,
                 " bytes of elements; expected ", expected);
  return type->decode(bytes.data() + 4 + 4 * rank, Shape(sizes));
}

ImageSet load_mnist(const std::string& folder, bool train) {
  const std::string prefix = train ? "train" : "t10k";
  const std::string images_path = existing(folder, prefix + "-images-idx3-ubyte");
  const std::string labels_path = existing(folder, prefix + "-labels-idx1-ubyte");
  const Tensor images = load_idx(images_path), labels = load_idx(labels_path);
  check<IoError>(images.dim() == 3 && images.dtype() == DType::u8, images_path, ": ",
                 images.dtype(), " of shape ", images.shape(), "; expected u8 images (N, H, W)");
  check<IoError>(labels.dim() == 1 && labels.dtype() == DType::u8, labels_path, ": ",
                 labels.dtype(), " of shape ", labels.shape(), "; expected u8 labels (N)");
  check<IoError>(labels.size(0) == images.size(0), labels_path, ": ", labels.size(0),
                 " labels for ", images.size(0), " images of ", images_path);
  const uint8_t* const all = labels.data<uint8_t>();
  const auto most = std::max_element(all, all + labels.numel());
  check<IoError>(labels.numel() == 0 || *most < 10, labels_path, ": a label of ",
                 labels.numel() == 0 ? 0 : int{*most}, "; expected 0 to 9");
  return {images.unsqueeze(1), labels.to(DType::i64)};
}

ImageSet load_cifar10(std::span<const std::string> paths) {
  constexpr int64_t kPixels = 3 * 32 * 32, kRecord = kPixels + 1;
  std::vector<Tensor> images, labels;
  for (const std::string& path : paths) {
    const Bytes bytes = contents(path);
    const auto n = static_cast<int64_t>(bytes.size()) / kRecord;
    check<IoError>(!bytes.empty() && static_cast<int64_t>(bytes.size()) % kRecord == 0, path, ": ",
                   bytes.size(), " bytes; expected a multiple of ", kRecord);
    images.push_back(empty({n, 3, 32, 32}, DType::u8));
    labels.push_back(empty({n}, DType::i64));
    for (int64_t i = 0; i < n; ++i) {
      const std::byte* const record = bytes.data() + i * kRecord;
      const auto label = static_cast<int64_t>(record[0]);
      check<IoError>(label < 10, path, ": image ", i, " has the label ", label,
                     "; expected 0 to 9");
      labels.back().mutable_data<int64_t>()[i] = label;
      std::memcpy(images.back().mutable_data<uint8_t>() + i * kPixels, record + 1, kPixels);
    }
  }
  check(!images.empty(), "load_cifar10: no files; expected at least one");
  return {cat(images), cat(labels)};
}

Tensor image_grid(const Tensor& images, int64_t columns, int64_t padding) {
  check<ShapeError>(images.dim() == 4 && images.size(0) > 0, "image_grid: images of shape ",
                    images.shape(), "; expected (N, C, H, W)");
  check(columns > 0 && padding >= 0, "image_grid: ", columns, " columns with a padding of ",
        padding, "; expected at least 1 and 0");
  const int64_t n = images.size(0), height = images.size(2) + padding,
                width = images.size(3) + padding;
  const int64_t across = std::min(columns, n), rows = (n + across - 1) / across;
  Tensor grid =
      zeros({images.size(1), rows * height + padding, across * width + padding}, images.dtype());
  const NoGrad no_grad;
  for (int64_t i = 0; i < n; ++i) {
    const Tensor place = grid.narrow(1, i / across * height + padding, images.size(2))
                             .narrow(2, i % across * width + padding, images.size(3));
    copy_(place, images.select(0, i));
  }
  return grid;
}

void write_png(const std::string& path, const Tensor& image) {
  const bool plain = image.dim() == 2;
  check<ShapeError>(plain || (image.dim() == 3 && (image.size(0) == 1 || image.size(0) == 3)),
                    "write_png: an image of shape ", image.shape(),
                    "; expected (H, W), (1, H, W) or (3, H, W)");
  const NoGrad no_grad;
  Tensor pixels = plain ? image.unsqueeze(0) : image;
  if (is_floating_point(pixels.dtype())) pixels = round(clamp(pixels, 0.0, 1.0) * 255);
  pixels = pixels.permute({1, 2, 0}).to(DType::u8).contiguous();  // (H, W, C)
  const auto height = static_cast<uint32_t>(pixels.size(0));
  const auto width = static_cast<uint32_t>(pixels.size(1));
  const auto row = static_cast<size_t>(pixels.size(1) * pixels.size(2));
  check<ShapeError>(pixels.numel() > 0, "write_png: an image of shape ", image.shape(),
                    "; expected at least one pixel");

  // Each row begins with the number of its filter (PNG, third edition, section 9): 0, none.
  Bytes rows;
  rows.reserve(height * (row + 1));
  const auto* from = reinterpret_cast<const std::byte*>(pixels.data<uint8_t>());
  for (uint32_t y = 0; y < height; ++y, from += row) {
    rows.push_back(std::byte{0});
    rows.insert(rows.end(), from, from + row);
  }
  Bytes file;
  const auto put = [](Bytes& to, uint32_t value) {
    for (const int shift : {24, 16, 8, 0}) to.push_back(static_cast<std::byte>(value >> shift));
  };
  const auto put_chunk = [&](std::string_view type, const Bytes& data) {
    put(file, static_cast<uint32_t>(data.size()));
    const size_t start = file.size();
    for (const char c : type) file.push_back(static_cast<std::byte>(c));
    file.insert(file.end(), data.begin(), data.end());
    put(file, io::crc32(0, std::span<const std::byte>(file).subspan(start)));
  };
  for (const int byte : {0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A}) {  // "PNG" within
    file.push_back(static_cast<std::byte>(byte));
  }
  Bytes header;
  put(header, width);
  put(header, height);
  const int color = pixels.size(2) == 3 ? 2 : 0;
  for (const int byte : {8, color, 0, 0, 0}) header.push_back(static_cast<std::byte>(byte));
  put_chunk("IHDR", header);
  put_chunk("IDAT", io::zlib_store(rows));
  put_chunk("IEND", {});
  io::write_file_atomic(path, std::span<const std::byte>(file));
}

}  // namespace adjoint::data
