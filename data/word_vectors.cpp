#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/word_vectors.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace adjoint::data {
namespace {

// The fields of a line, between single blanks.
class Fields {
 public:
  explicit Fields(std::string_view line) : rest_(line) {}
  bool at_end() const { return done_; }
  std::string_view next() {
    const size_t blank = rest_.find(' ');
    const std::string_view field = rest_.substr(0, blank);
    done_ = blank == rest_.npos;
    rest_.remove_prefix(done_ ? rest_.size() : blank + 1);
    return field;
  }

 private:
  std::string_view rest_;
  bool done_ = false;
};

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

class Parser {
 public:
  Parser(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  WordVectors parse() {
    count_lines();
    read_sizes();
    if (!sizes_) width_ = fields_in(line_at(0)) - 1;
    check<IoError>(rows_ > 0 && width_ > 0, source_, ": no vectors in it");
    // Two bytes at least for each number, one for the word's line: what is allocated is there.
    const uint64_t most = text_.size() / (2 * static_cast<uint64_t>(width_) + 1) + 1;
    check<IoError>(static_cast<uint64_t>(rows_) <= most, source_, ": ", rows_, " vectors of ",
                   width_, " numbers do not fit in ", text_.size(), " bytes");
    std::vector<std::string> words;
    words.reserve(static_cast<size_t>(rows_));
    Tensor vectors = empty({rows_, width_});
    float* out = vectors.mutable_data<float>();
    for (int64_t row = 0; row < rows_; ++row, out += width_) {
      words.push_back(read_line(next_line(), out));
    }
    return make(std::move(words), std::move(vectors));
  }

 private:
  template <class... Parts>
  void expect(bool ok, const Parts&... parts) const {
    check<IoError>(ok, source_, ": line ", line_, ": ", parts...);
  }

  void count_lines() {
    rows_ = std::count(text_.begin(), text_.end(), '\n');
    if (!text_.empty() && text_.back() != '\n') ++rows_;
  }

  std::string_view line_at(size_t at) const {
    std::string_view line = text_.substr(at, text_.find('\n', at) - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.ends_with(' ')) line.remove_suffix(1);
    return line;
  }

  std::string_view next_line() {
    at_ += first_ ? 0 : 1;
    first_ = false;
    ++line_;
    const std::string_view line = line_at(at_);
    at_ = std::min(text_.find('\n', at_), text_.size());
    return line;
  }

  static int64_t fields_in(std::string_view line) {
    return std::count(line.begin(), line.end(), ' ') + 1;
  }

  // word2vec's first line, if it is one: two whole numbers.
  void read_sizes() {
    const std::string_view line = line_at(0);
    if (fields_in(line) != 2) return;
    Fields fields(line);
    int64_t rows = 0, width = 0;
    if (!parse_number(fields.next(), rows) || !parse_number(fields.next(), width)) return;
    next_line();
    --rows_;
    expect(rows == rows_, "it says ", rows, " vectors, but ", rows_, " lines follow");
    expect(width > 0 && width <= static_cast<int64_t>(text_.size()), "it says ", width,
           " numbers a vector; expected 1 to ", text_.size());
    width_ = width;
    sizes_ = true;
  }

  std::string read_line(std::string_view line, float* out) const {
    Fields fields(line);
    const std::string_view word = fields.next();
    expect(!word.empty(), "a line without a word");
    expect(!find_invalid_utf8(word), "the word is not valid UTF-8");
    int64_t count = 0;
    for (; !fields.at_end() && count < width_; ++count) {
      const std::string_view number = fields.next();
      expect(parse_number(number, out[count]) && std::isfinite(out[count]), "\"",
             number.substr(0, 40), "\" is no finite number");
    }
    expect(count == width_ && fields.at_end(), fields_in(line) - 1, " numbers; expected ", width_);
    return std::string(word);
  }

  WordVectors make(std::vector<std::string> words, Tensor vectors) const {
    try {
      return WordVectors(std::move(words), std::move(vectors));
    } catch (const ConfigError& error) {
      fail<IoError>(source_, ": ", error.what());
    }
  }

  std::string_view text_;
  std::string source_;
  int64_t rows_ = 0, width_ = 0;
  bool sizes_ = false, first_ = true;
  size_t at_ = 0;
  int64_t line_ = 0;
};

double dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

}  // namespace

WordVectors WordVectors::load(const std::string& path) { return parse(io::read_text(path), path); }

WordVectors WordVectors::parse(std::string_view text, std::string_view source) {
  return Parser(text, source).parse();
}

WordVectors::WordVectors(std::vector<std::string> words, Tensor vectors)
    : words_(std::make_shared<const std::vector<std::string>>(std::move(words))),
      vectors_(contiguous(vectors)) {
  check<ShapeError>(vectors_.dim() == 2 && vectors_.size(0) == size(), "WordVectors: vectors ",
                    vectors_.shape(), "; expected (", size(), ", dim)");
  check<DTypeError>(vectors_.dtype() == DType::f32, "WordVectors: vectors of ",
                    name(vectors_.dtype()), "; expected f32");
  auto rows = std::make_shared<std::unordered_map<std::string_view, int64_t>>();
  rows->reserve(words_->size());
  for (const std::string& word : *words_) {
    check<ConfigError>(rows->emplace(word, static_cast<int64_t>(rows->size())).second,
                       "the word \"", word, "\" comes twice");
  }
  rows_ = std::move(rows);
}

std::optional<int64_t> WordVectors::find(std::string_view word) const {
  const auto found = rows_->find(word);
  return found == rows_->end() ? std::nullopt : std::optional(found->second);
}

std::vector<WordVectors::Neighbour> WordVectors::nearest(std::string_view word, int64_t k) const {
  const auto row = find(word);
  check<IndexError>(row.has_value(), "nearest: the word \"", word, "\" is not among the ", size());
  return nearest(vectors_.data<float>() + *row * dim(), k, *row);
}

std::vector<WordVectors::Neighbour> WordVectors::nearest(const Tensor& vector, int64_t k) const {
  check<ShapeError>(vector.dim() == 1 && vector.size(0) == dim(), "nearest: a vector of ",
                    vector.shape(), "; expected (", dim(), ")");
  const Tensor query = contiguous(vector.to(DType::f32));
  return nearest(query.data<float>(), k, -1);
}

std::vector<WordVectors::Neighbour> WordVectors::nearest(const float* query, int64_t k,
                                                         int64_t left_out) const {
  check<ConfigError>(k >= 0, "nearest: k is ", k, "; expected 0 or more");
  const float* const rows = vectors_.data<float>();
  const double length = std::sqrt(dot(query, query, dim()));
  std::vector<std::pair<double, int64_t>> ranked;  // the larger the cosine the smaller
  ranked.reserve(static_cast<size_t>(size()));
  for (int64_t i = 0; i < size(); ++i) {
    if (i == left_out) continue;
    const float* const row = rows + i * dim();
    const double lengths = length * std::sqrt(dot(row, row, dim()));
    ranked.emplace_back(lengths > 0 ? -dot(row, query, dim()) / lengths : 0.0, i);
  }
  const auto count = std::min<int64_t>(k, static_cast<int64_t>(ranked.size()));
  std::partial_sort(ranked.begin(), ranked.begin() + count, ranked.end());
  std::vector<Neighbour> found;
  for (int64_t i = 0; i < count; ++i) {
    const auto [cosine, row] = ranked[static_cast<size_t>(i)];
    found.push_back({(*words_)[static_cast<size_t>(row)], 0.0 - cosine});
  }
  return found;
}

}  // namespace adjoint::data
