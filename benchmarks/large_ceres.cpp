// Ceres on a BAL problem or a g2o pose graph: large_ceres FILE SOLVER THREADS FTOL RADIUS MAX_STEPS [HUBER]
// HUBER: scale of Huber's loss of a BAL problem.
// One line of JSON: cost and seconds since the data were in memory (building the problem, "built", and preprocessing
// included) after each successful step; the peak of the resident set, in MiB, beyond what was resident then.
#include <ceres/ceres.h>
#include <ceres/rotation.h>

#include <Eigen/Dense>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

struct Reprojection {
  double u, v;
  template <class T>
  bool operator()(const T* camera, const T* point, T* residual) const {
    T p[3];
    ceres::AngleAxisRotatePoint(camera, point, p);
    for (int k = 0; k < 3; ++k) p[k] += camera[3 + k];
    const T x = -p[0] / p[2], y = -p[1] / p[2], r2 = x * x + y * y;
    const T scale = camera[6] * (1.0 + r2 * (camera[7] + r2 * camera[8]));
    residual[0] = scale * x - u;
    residual[1] = scale * y - v;
    return true;
  }
};

template <int N>
using Square = Eigen::Matrix<double, N, N>;

// R_z' (R_i' (t_j - t_i) - t_z) and the angle, whitened.
struct Planar {
  Eigen::Vector3d z;
  Square<3> root;
  template <class T>
  bool operator()(const T* a, const T* b, T* out) const {
    const T c = cos(a[2]), s = sin(a[2]), dx = b[0] - a[0], dy = b[1] - a[1];
    const T x = c * dx + s * dy - z[0], y = c * dy - s * dx - z[1], turn = b[2] - a[2] - z[2];
    const double cz = cos(z[2]), sz = sin(z[2]);
    Eigen::Matrix<T, 3, 1> e(cz * x + sz * y, cz * y - sz * x, turn - 2.0 * M_PI * floor((turn + M_PI) / (2.0 * M_PI)));
    Eigen::Map<Eigen::Matrix<T, 3, 1>> residual(out);
    residual = root.template cast<T>() * e;
    return true;
  }
};

// R_z' (R_i' (t_j - t_i) - t_z) and the vector part of q_z^-1 q_i^-1 q_j, whitened.
struct Spatial {
  Eigen::Vector3d t;
  Eigen::Quaterniond q;
  Square<6> root;
  template <class T>
  bool operator()(const T* ta, const T* qa, const T* tb, const T* qb, T* out) const {
    using Vector = Eigen::Matrix<T, 3, 1>;
    const Eigen::Map<const Vector> pa(ta), pb(tb);
    const Eigen::Map<const Eigen::Quaternion<T>> ra(qa), rb(qb);
    const Eigen::Quaternion<T> back = ra.conjugate(), undone = q.conjugate().template cast<T>();
    const Vector move = undone * Vector(back * Vector(pb - pa) - t.template cast<T>());
    const Eigen::Quaternion<T> turn = undone * (back * rb);
    Eigen::Matrix<T, 6, 1> e;
    e << move, turn.vec() * (turn.w() < 0.0 ? T(-1.0) : T(1.0));
    Eigen::Map<Eigen::Matrix<T, 6, 1>> residual(out);
    residual = root.template cast<T>() * e;
    return true;
  }
};

struct Bal {
  std::vector<double> cameras, points;
  std::vector<int> camera, point;
  std::vector<double> seen;
  void read(std::ifstream& file) {
    int n, m, k;
    file >> n >> m >> k;
    camera.resize(k);
    point.resize(k);
    seen.resize(2 * k);
    for (int i = 0; i < k; ++i) file >> camera[i] >> point[i] >> seen[2 * i] >> seen[2 * i + 1];
    cameras.resize(9 * n);
    points.resize(3 * m);
    for (double& x : cameras) file >> x;
    for (double& x : points) file >> x;
  }
  void build(ceres::Problem& problem, ceres::ParameterBlockOrdering& order, double huber) {
    for (size_t i = 0; i < camera.size(); ++i)
      problem.AddResidualBlock(
          new ceres::AutoDiffCostFunction<Reprojection, 2, 9, 3>(new Reprojection{seen[2 * i], seen[2 * i + 1]}),
          huber > 0.0 ? new ceres::HuberLoss(huber) : nullptr, &cameras[9 * camera[i]], &points[3 * point[i]]);
    for (size_t i = 0; i < points.size() / 3; ++i)
      if (problem.HasParameterBlock(&points[3 * i])) order.AddElementToGroup(&points[3 * i], 0);
    for (size_t i = 0; i < cameras.size() / 9; ++i) order.AddElementToGroup(&cameras[9 * i], 1);
  }
};

template <int N>
Square<N> symmetric(std::istream& line) {
  Square<N> omega;
  for (int i = 0; i < N; ++i)
    for (int j = i; j < N; ++j) {
      line >> omega(i, j);
      omega(j, i) = omega(i, j);
    }
  return omega;
}

template <int N>
Square<N> upper_root(const Square<N>& omega) {
  return omega.llt().matrixL().transpose();
}

struct Graph {
  template <int N>
  struct Edge {
    double *from, *to;
    Eigen::Matrix<double, N == 3 ? 3 : 7, 1> z;
    Square<N> omega;
  };
  std::map<int, Eigen::Matrix<double, 7, 1>> poses;
  std::vector<Edge<3>> planar;
  std::vector<Edge<6>> spatial;
  void read(std::istream& file) {
    std::string text, tag;
    while (std::getline(file, text)) {
      std::istringstream line(text);
      int i;
      line >> tag >> i;
      const bool flat = tag.find("SE2") != std::string::npos;
      auto& pose = poses[i];
      if (tag.rfind("VERTEX", 0) != 0) {
        flat ? read_edge(line, pose, planar) : read_edge(line, pose, spatial);
        continue;
      }
      for (int k = 0; k < (flat ? 3 : 7); ++k) line >> pose[k];
      if (!flat) pose.tail<4>().normalize();
    }
  }
  template <int N>
  void read_edge(std::istream& line, Eigen::Matrix<double, 7, 1>& from, std::vector<Edge<N>>& edges) {
    int j;
    line >> j;
    Edge<N> e{from.data(), poses[j].data(), {}, {}};
    for (int k = 0; k < e.z.size(); ++k) line >> e.z[k];
    if (N == 6) e.z.template tail<4>().normalize();
    e.omega = symmetric<N>(line);
    edges.push_back(e);
  }
  void build(ceres::Problem& problem) {
    auto* manifold = new ceres::EigenQuaternionManifold;
    for (auto& [id, pose] : poses) {
      problem.AddParameterBlock(pose.data(), 3);
      if (planar.empty()) problem.AddParameterBlock(pose.data() + 3, 4, manifold);
    }
    for (const auto& e : planar)
      problem.AddResidualBlock(
          new ceres::AutoDiffCostFunction<Planar, 3, 3, 3>(new Planar{e.z, upper_root(e.omega)}), nullptr, e.from, e.to);
    for (const auto& e : spatial)
      problem.AddResidualBlock(
          new ceres::AutoDiffCostFunction<Spatial, 6, 3, 4, 3, 4>(
              new Spatial{e.z.head<3>(), Eigen::Quaterniond(e.z.tail<4>().data()), upper_root(e.omega)}),
          nullptr, e.from, e.from + 3, e.to, e.to + 3);
    double* first = poses.begin()->second.data();
    problem.SetParameterBlockConstant(first);
    if (problem.HasParameterBlock(first + 3)) problem.SetParameterBlockConstant(first + 3);
  }
};

// MiB of this process: "VmRSS:" now, "VmHWM:" at its peak.
double resident(const char* which) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == which) {
      double kib;
      status >> kib;
      return kib / 1024.0;
    }
  return 0.0;
}

int main(int argc, char** argv) {
  std::ifstream file(argv[1]);
  const std::string solver = argv[2];
  ceres::Problem problem;
  ceres::Solver::Options options;
  Bal bal;
  Graph graph;
  double before = 0.0;
  std::chrono::steady_clock::time_point start;
  if (std::isdigit(file.peek())) {
    options.linear_solver_ordering.reset(new ceres::ParameterBlockOrdering);
    bal.read(file);
    before = resident("VmRSS:");
    start = std::chrono::steady_clock::now();
    bal.build(problem, *options.linear_solver_ordering, argc > 7 ? std::atof(argv[7]) : 0.0);
  } else {
    graph.read(file);
    before = resident("VmRSS:");
    start = std::chrono::steady_clock::now();
    graph.build(problem);
  }
  const double built = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  options.linear_solver_type = solver == "dense"    ? ceres::DENSE_SCHUR
                               : solver == "sparse" ? ceres::SPARSE_SCHUR
                               : solver == "cg"     ? ceres::ITERATIVE_SCHUR
                                                    : ceres::SPARSE_NORMAL_CHOLESKY;
  options.sparse_linear_algebra_library_type = ceres::SUITE_SPARSE;
  options.preconditioner_type = ceres::SCHUR_JACOBI;
  options.num_threads = std::atoi(argv[3]);
  options.function_tolerance = std::atof(argv[4]);
  options.gradient_tolerance = options.parameter_tolerance = 1e-16;
  options.initial_trust_region_radius = std::atof(argv[5]);
  options.max_num_iterations = std::atoi(argv[6]);
  options.logging_type = ceres::SILENT;
  ceres::Solver::Summary summary;
  ceres::Solve(options, &problem, &summary);
  std::printf("{\"steps\": %zu, \"total\": %.6f, \"built\": %.6f, \"mib\": %.1f, \"path\": [", summary.iterations.size() - 1,
              built + summary.total_time_in_seconds, built, resident("VmHWM:") - before);
  bool first = true;
  for (const auto& step : summary.iterations)
    if (step.step_is_successful || step.iteration == 0) {
      std::printf("%s[%.6f, %.12g]", first ? "" : ", ",
                  built + step.cumulative_time_in_seconds + summary.preprocessor_time_in_seconds, step.cost);
      first = false;
    }
  std::printf("]}\n");
}
