/* The network 2-4-4-1 without biases, full batch, MSE, plain gradient descent: a lower bound on the time.
 *
 * Plain loops over feature-major arrays, which a compiler can vectorise: gcc -O3 -march=native -ffast-math.
 * REAL is float or double, N the number of samples. It does the same steps as every implementation, with sums in
 * another order.
 */
#include <math.h>
#ifndef REAL
#define REAL float
#endif
#ifndef N
#define N 100
#endif
enum { I = 2, H = 4, G = 4, O = 1 };
typedef REAL real;
#define EXP(x) (sizeof(real) == 4 ? (real)expf((float)(x)) : (real)exp((double)(x)))

/* x: I rows of N samples, y: O rows; w1 (I,H), w2 (H,G), w3 (G,O). */
void train(const real *restrict x, const real *restrict y, real *restrict w1, real *restrict w2, real *restrict w3,
           real rate, long steps, double *restrict losses) {
    static real a1[H][N], a2[G][N], a3[O][N], d1[H][N], d2[G][N], d3[O][N];
    for (long t = 0; t < steps; t++) {
        for (int h = 0; h < H; h++)
            for (int n = 0; n < N; n++) {
                real z = 0;
                for (int i = 0; i < I; i++) z += w1[i * H + h] * x[i * N + n];
                a1[h][n] = 1 / (1 + EXP(-z));
            }
        for (int g = 0; g < G; g++)
            for (int n = 0; n < N; n++) {
                real z = 0;
                for (int h = 0; h < H; h++) z += w2[h * G + g] * a1[h][n];
                a2[g][n] = 1 / (1 + EXP(-z));
            }
        real loss = 0;
        for (int o = 0; o < O; o++)
            for (int n = 0; n < N; n++) {
                real z = 0;
                for (int g = 0; g < G; g++) z += w3[g * O + o] * a2[g][n];
                real a = 1 / (1 + EXP(-z)), e = a - y[o * N + n];
                loss += e * e;
                d3[o][n] = e * a * (1 - a);
            }
        losses[t] = loss / (N * O);
        for (int g = 0; g < G; g++)
            for (int n = 0; n < N; n++) {
                real d = 0;
                for (int o = 0; o < O; o++) d += d3[o][n] * w3[g * O + o];
                d2[g][n] = d * a2[g][n] * (1 - a2[g][n]);
            }
        for (int h = 0; h < H; h++)
            for (int n = 0; n < N; n++) {
                real d = 0;
                for (int g = 0; g < G; g++) d += d2[g][n] * w2[h * G + g];
                d1[h][n] = d * a1[h][n] * (1 - a1[h][n]);
            }
        const real step = rate * 2 / (N * O);
        for (int i = 0; i < I; i++)
            for (int h = 0; h < H; h++) {
                real s = 0;
                for (int n = 0; n < N; n++) s += x[i * N + n] * d1[h][n];
                w1[i * H + h] -= step * s;
            }
        for (int h = 0; h < H; h++)
            for (int g = 0; g < G; g++) {
                real s = 0;
                for (int n = 0; n < N; n++) s += a1[h][n] * d2[g][n];
                w2[h * G + g] -= step * s;
            }
        for (int g = 0; g < G; g++)
            for (int o = 0; o < O; o++) {
                real s = 0;
                for (int n = 0; n < N; n++) s += a2[g][n] * d3[o][n];
                w3[g * O + o] -= step * s;
            }
    }
}
