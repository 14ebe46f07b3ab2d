"""Which axes of an output are rows and columns of the image, by the image's proportions."""


def is_map_of(size: tuple[int, ...], image: tuple[int, int]) -> bool:
    """Whether two axes can be an image's height and width, divided by one factor.

    Args:
        size: The two axes.
        image: Height and width of the image.
    """
    (rows, columns), (height, width) = size, image
    if height == width:
        return rows == columns
    # Each side is rounded up or down after the division.
    lowest = max(height / (rows + 1), width / (columns + 1))
    highest = min(height / max(rows - 1, 1e-9), width / max(columns - 1, 1e-9))
    return lowest < highest


def token_grid(count: int, image: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the grid that tokens form over an image; (0, 0) if they form none.

    Args:
        count: Tokens of the image alone, without class and register tokens.
        image: Height and width of the image.
    """
    height, width = image
    grids = [(rows, count // rows) for rows in range(1, count + 1) if count % rows == 0]
    fitting = [grid for grid in grids if is_map_of(grid, image)]
    return min(fitting, key=lambda grid: abs(grid[0] * width - grid[1] * height), default=(0, 0))
